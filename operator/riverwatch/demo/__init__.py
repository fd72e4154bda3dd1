"""What ``make demo`` runs: the recorded break-in that ships with the package, through ``riverwatch replay``.

The recording was made by ``riverwatch lab record`` on a real kube-apiserver; the folder's README says how. Called as
``python -m riverwatch.demo``; adds nothing to what the command line can do.
"""
