"""Attack simulations: one file each, with a card, discovered from this folder.

`base` holds the words (card, scene, identity, step), `session` sends requests as somebody, `run` executes an attack
step by step at times its caller decides, `catalog` finds the attacks. To add one: a file here that defines ``ATTACK``.
"""
