"""Links of a run to people, vehicles and programs; each is loaded when its option is given."""
