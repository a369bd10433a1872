"""Senders for tests of live sources: real sockets and processes that can be killed and frozen."""
