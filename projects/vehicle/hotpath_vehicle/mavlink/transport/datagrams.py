"""A MAVLink link over UDP: each packet arrives whole, or is lost."""

import contextlib
import socket
import time
from collections import OrderedDict
from typing import Dict, List, NamedTuple, Optional, Tuple

from hotpath.links import made_socket
from hotpath_vehicle.mavlink.transport import base
from hotpath_vehicle.mavlink.transport.base import Address, Component, Received, Transport

PEERS = 8  # most peers that a listening link answers
PEERS_OF_ADDRESS = 3  # of them at one address
PEER_S = 30.0  # a peer that was silent for so long is forgotten
TURN_S = 5.0  # newcomers share the last place in turns of this length
BEATS_PER_S = 5.0  # heartbeats of one component at one address; who sends more has no place
BEATS = 10.0  # of them at once
COUNTED = 1024  # components whose heartbeats are counted


class _Datagrams(Transport):
    """What both ways of UDP share."""

    def receive(self) -> List[Received]:
        got: List[Received] = []
        for _ in range(base.READS):
            if self._socket is None:
                break
            try:
                data, peer = self._socket.recvfrom(base.READ_BYTES)
            except BlockingIOError:
                break
            except OSError as error:  # such as that no program listens at the other side now
                self._failed(error)
                continue
            if self.allows(peer[0]):
                got.append((peer, data))
        return got

    def _failed(self, error: OSError) -> None:
        """An error of the socket: the packet is lost, as on a radio."""


class UdpOut(_Datagrams):
    """Sends packets to one address, and takes packets from that address only."""

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__()
        self._address = (host, port)
        self._connect()

    def _connect(self) -> None:
        """Look the host's name up and connect; if that fails, a later call tries again."""
        if self.may_try():
            with contextlib.suppress(OSError):  # no such name, or no network yet
                self._socket = made_socket(*self._address, socket.SOCK_DGRAM, True)

    def send(self, data: bytes) -> None:
        self._connect()
        if self._socket is not None:
            try:
                self._socket.send(data)
            except OSError as error:
                self._failed(error)

    def _failed(self, error: OSError) -> None:
        """Close the link if the network is gone; a later packet opens it again."""
        if error.errno not in base.PASSING:
            self.close()


class Peer(NamedTuple):
    """When a peer got its place, was heard, and sent a heartbeat."""

    joined_s: float
    heard_s: float
    beat_s: float


class UdpIn(_Datagrams):
    """Listens at an address, and sends to all peers that were heard there recently.

    Strangers can shut no ground station out. A peer keeps its place while it sends heartbeats. A
    newcomer gets a free place, or that of a peer without heartbeats. Where all send them, the peer
    that came last makes room, so that newcomers take turns. No address has a place where one
    component sends more heartbeats than any ground station. A router may pass on many components.
    """

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__()
        self._peers: Dict[Address, Peer] = {}  # those that came first stand first
        # leaky buckets, by host and component
        self._beats: OrderedDict[Tuple[object, ...], Tuple[float, float]] = OrderedDict()
        self._socket = base.listening(name, host, port, socket.SOCK_DGRAM)

    def receive(self) -> List[Received]:
        got, now = super().receive(), time.monotonic()
        self._peers = {a: p for a, p in self._peers.items() if now - p.heard_s <= PEER_S}
        return got

    def welcome(self, peer: Address, now: float, beats: Optional[Component] = None) -> None:
        """Send to that peer from now on, if it gets a place."""
        known = self._peers.get(peer)
        if beats and self._floods((peer[0],) + beats, now):
            for other in [other for other in self._peers if other[0] == peer[0]]:
                self._drop(other, "component {}/{} there floods it with heartbeats".format(*beats))
        elif known:
            self._peers[peer] = Peer(known.joined_s, now, now if beats else known.beat_s)
        elif self._has_place(peer[0], now, beats is not None):
            self._peers[peer] = Peer(now, now, now)

    def _drop(self, peer: Address, why: str) -> None:
        del self._peers[peer]
        self.note = f"{peer[0]}:{peer[1]} is not answered any more: {why}"

    def _floods(self, who: Tuple[object, ...], now: float) -> bool:
        """Count a heartbeat; whether its component sends too many."""
        level, at = self._beats.pop(who, (0.0, now))
        level = min(2 * BEATS, max(0.0, level - (now - at) * BEATS_PER_S) + 1.0)
        self._beats[who] = level, now
        if len(self._beats) > COUNTED:
            self._beats.popitem(last=False)
        return level > BEATS

    def _has_place(self, host: str, now: float, beats: bool) -> bool:
        """Whether there is a place for a newcomer; one that beats may take another one's."""
        rivals = [peer for peer in self._peers if peer[0] == host]
        if len(rivals) < PEERS_OF_ADDRESS:
            rivals = list(self._peers)
            if len(rivals) < PEERS:
                return True
        quietest = min(rivals, key=lambda peer: self._peers[peer].beat_s)
        if beats and now - self._peers[quietest].beat_s > base.SILENT_S:
            self._drop(quietest, "it sends no heartbeats, and others need the place")
        elif beats and now - self._peers[rivals[-1]].joined_s > TURN_S:
            self._drop(rivals[-1], "all places are taken, and newcomers take turns")
        else:
            return False
        return True

    def send(self, data: bytes) -> None:
        for peer in self._peers:
            with contextlib.suppress(OSError):  # lost
                if self._socket is not None:
                    self._socket.sendto(data, peer)
