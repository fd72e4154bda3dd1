"""What an attack's script is given: a scene, identities to steal, sessions, a seeded generator, a cleanup stack.

Made by whoever runs attacks (the recorder, `lab attack`, the contract suite), one for each attack. `run` sets `now_s`
before each step, so labels carry the scheduled time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import msgspec

from riverwatch import errors
from riverwatch.lab.attacks import base, review, session

KUBECTL = "kubectl/v1.34.2 (linux/amd64) kubernetes/8cc511e"
"""User agent of a stranger's kubectl: a version like those in the field, its commit shortened as kubectl does."""

CURL = "curl/8.5.0"
"""User agent of a script that calls the API by hand."""

PYTHON_CLIENT = "OpenAPI-Generator/33.1.0/python"
"""User agent of the official Python client."""

GO_CLIENT = "Go-http-client/2.0"
"""User agent of a program written in Go without client-go."""

PEERS = ("172.20", "172.24", "192.168")
"""First halves of private addresses that neither pods nor nodes nor offices of a scene have."""

HOME = "(home)"
"""Stands for an identity's namespace in the right that a victim must have."""


class AttackContext:
    """Everything one attack may use.

    Parameters
    ----------
    scene
        The cluster it plays in.
    rng
        The only source of chance.
    home
        Namespace for what the attacker creates when the victim's own does not serve; empty means the victim's.
    """

    def __init__(self, *, scene: base.Scene, rng: random.Random, home: str = "") -> None:
        self.scene = scene
        self.rng = rng
        self.home = home
        self.now_s = 0.0
        self.sent: list[base.Sent] = []
        self._sessions: list[session.Session] = []
        self._cleanup: list[Callable[[], base.Step]] = []
        self._suffix = f"{rng.getrandbits(20):05x}"
        self._helpers: dict[base.Purpose, session.Session] = {}
        self._wire = session.Wire(scene=scene, rng=rng, clock=self._now, observer=self.sent.append)

    def victim(
        self, part: base.Part, *, able: tuple[str, str] | None = None, other_than: Sequence[base.Identity] = ()
    ) -> base.Identity:
        """Choose an identity by its part.

        Parameters
        ----------
        part
            The part it plays.
        able
            Method and path of a request that the identity must have the right to send; `HOME` in it stands for the
            identity's namespace.
        other_than
            Identities that are taken already.

        Raises
        ------
        BadInputError
            When nobody plays this part here.
        """
        taken = {identity.username for identity in other_than}
        crowd = [identity for identity in self.scene.identities(part) if identity.username not in taken]
        if able is not None:
            method, target = able
            crowd = [one for one in crowd if self.may(one, method, target.replace(HOME, one.namespace))]
        if not crowd:
            right = " and has the right that the attack misuses" if able is not None else ""
            raise errors.BadInputError(f"nobody plays the part {part.value!r}{right}; give the scene such an identity")
        return self.rng.choice(crowd)

    def stranger_ip(self) -> str:
        """Choose an address from outside the cluster and the company."""
        return self.rng.choice(list(self.scene.outside_ips))

    def peer_ip(self) -> str:
        """Draw a private address of a network beside the cluster's: a peered one, a partner's, a second office."""
        return f"{self.rng.choice(PEERS)}.{self.rng.randrange(256)}.{self.rng.randrange(2, 250)}"

    def pod_ip(self) -> str:
        """Choose the address of a pod the attacker may sit in."""
        return self.rng.choice(list(self.scene.pod_ips))

    def name(self, stem: str) -> str:
        """Make an object's name from a believable stem, unique to this run."""
        return f"{stem}-{self._suffix}"

    def act_as(
        self,
        identity: base.Identity,
        *,
        source_ip: str | None = None,
        user_agent: str | None = None,
        machine: bool = False,
    ) -> session.Session:
        """Open a session with an identity's credential.

        Parameters
        ----------
        identity
            Whose credential.
        source_ip
            Where from; the identity's own address when ``None``.
        user_agent
            With which program; the identity's own when ``None``.
        machine
            Whether a program sends the requests, without a person's pauses.
        """
        manner = session.Manner(
            source_ip=identity.source_ip if source_ip is None else source_ip,
            user_agent=identity.user_agent if user_agent is None else user_agent,
            pace_s=session.MACHINE_PACE_S if machine else session.PERSON_PACE_S,
        )
        return self._open(identity, manner, base.Purpose.ATTACK)

    def act_through(self, opened: session.Session, *, username: str, groups: tuple[str, ...] = ()) -> session.Session:
        """Open a session that impersonates somebody, with the credential and the looks of another session.

        Parameters
        ----------
        opened
            The session whose identity impersonates.
        username
            User name to act as.
        groups
            Groups to act with; only the first one can be sent.
        """
        manner = msgspec.structs.replace(opened.manner, impersonate=username, groups=groups)
        return self._open(opened.identity, manner, base.Purpose.ATTACK)

    def minted(self, identity: base.Identity, token: str, *, username: str = "") -> base.Identity:
        """Turn a credential that the attack obtained into an identity to act as.

        Parameters
        ----------
        identity
            Whose habits (address, agent, namespaces) to copy.
        token
            The bearer token obtained.
        username
            Who the token speaks for; the identity's own name when empty.
        """
        return msgspec.structs.replace(
            identity,
            username=username or identity.username,
            credential=base.Credential(token=token),
            obtained=True,
        )

    def director(self, purpose: base.Purpose) -> session.Session:
        """Open a session of the director, for preparing or cleaning up only."""
        if purpose is base.Purpose.ATTACK:
            raise ValueError("the director takes no part in an attack")
        who = self.scene.director
        manner = session.Manner(source_ip=who.source_ip, user_agent=who.user_agent, pace_s=(0.0, 0.0))
        return self._open(who, manner, purpose)

    def may(self, identity: base.Identity, method: str, target: str) -> bool:
        """Ask whether an identity has the right to send a request; the director asks at once.

        Parameters
        ----------
        identity
            A service account or a node; rights that a person has through groups are not seen.
        method
            HTTP method.
        target
            Path and query.
        """
        asked = review.question(identity.username, method, target)
        answer = self._helper(base.Purpose.PREPARE).create(review.PATH, asked).action()
        status = answer.body.get("status", {}) if isinstance(answer.body, dict) else {}
        return bool(status.get("allowed"))

    def known(self, collection: str, query: session.Query | None = None) -> list[tuple[str, str]]:
        """Give namespace and name of what is in a collection: what the attacker knows beforehand.

        The director asks at once, so a script that must not look around need not.

        Parameters
        ----------
        collection
            Path of the collection.
        query
            Selectors.

        Raises
        ------
        BadInputError
            When the collection cannot be listed.
        """
        answer = self._helper(base.Purpose.PREPARE).get(collection, query).action()
        if not answer.ok:
            raise errors.BadInputError(f"the director may not list it ({answer.status})", where=collection)
        return answer.items()

    def one_of(self, identity: base.Identity, collection: str, *, leave_out: Sequence[str] = ()) -> tuple[str, str]:
        """Choose an object in one of the namespaces that an identity works in; the director looks at once.

        Parameters
        ----------
        identity
            Whose namespaces.
        collection
            Path of the collection, with `HOME` for the namespace.
        leave_out
            Names that do not serve.

        Returns
        -------
        tuple
            The collection's path in the chosen namespace, and the object's name.

        Raises
        ------
        BadInputError
            When there is none.
        """
        homes = [collection.replace(HOME, space) for space in identity.namespaces or (identity.namespace,)]
        found = [(home, name) for home in homes for _, name in self.known(home) if name not in leave_out]
        if not found:
            raise errors.BadInputError("nothing there for the attack to misuse", where=", ".join(homes))
        return self.rng.choice(found)

    def read(self, path: str) -> base.Answer:
        """Give an object as it is before the attack, for putting it back; the director asks at once."""
        return self._helper(base.Purpose.PREPARE).get(path).action()

    def ensure(self, collection: str, body: dict[str, object]) -> None:
        """Have the director create what the story takes for granted, unless it is there; it goes away afterwards.

        Parameters
        ----------
        collection
            Path of the collection.
        body
            The object.
        """
        answer = self._helper(base.Purpose.PREPARE).create(collection, body).action()
        if answer.ok:
            self.remove_later(f"{collection}/{answer.at('metadata', 'name')}")

    def namespaces(self, *, other_than: Sequence[str] = ()) -> list[str]:
        """Give the namespaces of the scene in which somebody works, sorted."""
        found = {
            space
            for part in base.Part
            for identity in self.scene.identities(part)
            for space in (identity.namespace, *identity.namespaces)
            if space
        }
        return sorted(found.difference(other_than))

    def remove_later(self, *paths: str) -> None:
        """Have objects deleted by the director when the attack is over; they need not exist by then."""
        for path in paths:
            self._cleanup.append(lambda path=path: self._helper(base.Purpose.CLEANUP).delete(path))  # type: ignore[misc]

    def restore_later(self, path: str, body: object, *, content_type: str = session.MERGE_PATCH) -> None:
        """Have an object patched back, or created again with ``POST``, by the director when the attack is over.

        Parameters
        ----------
        path
            The object's path.
        body
            The patch that gives it its old content.
        content_type
            The patch's type.
        """
        self._cleanup.append(lambda: self._helper(base.Purpose.CLEANUP).patch(path, body, content_type=content_type))

    def recreate_later(self, collection: str, body: object) -> None:
        """Have a deleted object created again by the director when the attack is over.

        Parameters
        ----------
        collection
            Path of the collection it belongs to.
        body
            The object as it was read; server-side fields are taken out.
        """
        self._cleanup.append(lambda: self._helper(base.Purpose.CLEANUP).create(collection, fresh(body)))

    def cleanup_steps(self) -> list[base.Step]:
        """Give what is left to clean up, newest first, and forget it."""
        steps = [make() for make in reversed(self._cleanup)]
        self._cleanup.clear()
        return steps

    def close(self) -> None:
        """Close every session."""
        for opened in self._sessions:
            opened.close()
        self._sessions.clear()
        self._helpers.clear()

    def _open(self, identity: base.Identity, manner: session.Manner, purpose: base.Purpose) -> session.Session:
        """Open a session and remember to close it."""
        opened = session.Session(self._wire, identity, manner=manner, purpose=purpose)
        self._sessions.append(opened)
        return opened

    def _helper(self, purpose: base.Purpose) -> session.Session:
        """Open the director's session for one purpose once."""
        if purpose not in self._helpers:
            self._helpers[purpose] = self.director(purpose)
        return self._helpers[purpose]

    def _now(self) -> float:
        """Scheduled time of the step now being run."""
        return self.now_s


SERVER_FIELDS = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "selfLink",
    "ownerReferences",
)
"""Metadata that the API server owns; an object that is created again must not bring it."""


def fresh(body: object) -> dict[str, object]:
    """Copy an object without what the API server owns, so that it can be created again.

    Examples
    --------
    >>> fresh({"kind": "ConfigMap", "metadata": {"name": "a", "uid": "1"}, "status": {}})
    {'kind': 'ConfigMap', 'metadata': {'name': 'a'}}
    """
    if not isinstance(body, dict):
        raise TypeError("an object is a mapping")
    copy = {key: value for key, value in body.items() if key != "status"}
    metadata = copy.get("metadata")
    if isinstance(metadata, dict):
        copy["metadata"] = {key: value for key, value in metadata.items() if key not in SERVER_FIELDS}
    return copy
