"""The conventions of a network's files, as parameters of ``hotpath tune``.

The files of a network do not say which colours, crop or border they were trained with.
``hotpath networks add`` knows the usual alternatives; the search tries them like any other
parameter, each as one of a few names.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hotpath.app.cli.networks.propose import network_for, propose, section_of, with_changes
from hotpath.base import toml
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import Network

QUESTIONS = ("colours", "crop", "border", "maps", "score", "stride")
OWN = "as it is"  # the answer that leaves the network's own keys
Answers = Mapping[str, str]  # question -> answer


class Conventions:
    """The alternatives of some questions for one network.

    Args:
        network: the network, with its TOML.
        paths: dict of part -> file.
        questions: of ``QUESTIONS``.

    Attributes:
        choices: dict of question -> list of answers. The first answer is ``OWN``.

    Raises:
        BadNetwork: the files have no known form, or leave a question no alternative.
    """

    def __init__(self, network: Network, paths: Mapping[str, Path], questions: list[str]) -> None:
        self._network = network
        self._table = toml.read(network.path, BadNetwork)
        self._changes: dict[str, dict[str, dict[str, Any]]] = {}
        there = propose(list(paths.values())).alternatives if questions else {}
        for question in questions:
            answers = there.get(question, {})
            keys = {key for changes in answers.values() for key in changes}
            self._changes[question] = {OWN: {}}
            for answer, changes in answers.items():
                self._changes[question][answer] = {key: changes.get(key) for key in keys}
                if not self._is_another({question: answer}, keys):
                    del self._changes[question][answer]
            if len(self._changes[question]) == 1:
                named = ", ".join(each for each in QUESTIONS if each in there)
                raise BadNetwork(
                    f"{network.name} has no alternative of {question!r} to try; there are: {named}"
                )
        self.choices = {question: list(answers) for question, answers in self._changes.items()}

    def _is_another(self, answers: Answers, keys: set[str]) -> bool:
        """Whether answers give a network with other values of some keys."""
        try:
            other = self.network(answers)
        except BadNetwork:  # its family has no such key
            return False
        pairs = ((getattr(each, key, None) for each in (other, self._network)) for key in keys)
        return any(one != own for one, own in pairs)

    def values(self, answers: Answers) -> dict[str, Any]:
        """The keys of the TOML that answers set; None for a key that they remove."""
        result: dict[str, Any] = {}
        for question, answer in answers.items():
            result.update(self._changes[question][answer])
        return result

    def network(self, answers: Answers) -> Network:
        """The network with these answers.

        Raises:
            BadNetwork: its family does not take them.
        """
        return network_for(with_changes(self._table, self.values(answers)), self._network.path)

    def sections(self, answers: Answers) -> dict[str, dict[str, Any]]:
        """``values`` by the section of the TOML in which each key stands."""
        result: dict[str, dict[str, Any]] = {}
        for key, value in self.values(answers).items():
            result.setdefault(section_of(key), {})[key] = value
        return result
