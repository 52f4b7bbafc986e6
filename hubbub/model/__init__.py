"""What chat is: people, rooms, messages, and the rules about them. No I/O, no clock."""
