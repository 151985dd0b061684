"""What `manage.py bench` runs: our side, the peer's side and a real web server, each in a process of its own."""
