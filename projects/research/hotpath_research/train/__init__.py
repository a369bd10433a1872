"""Training of kestrel, the tracker network that ships with the repository. See README.md here."""
