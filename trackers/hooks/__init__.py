"""What the hooks of all frameworks share: where they write, how often they look, what they cost."""
