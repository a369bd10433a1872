"""Links of a run to people, vehicles and programs; each is imported when its option is given."""
