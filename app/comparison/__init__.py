"""What runs differ in, what each of them reached, and what it cost."""
