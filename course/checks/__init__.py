"""What an exercise is, how a student's object is probed, compared, diagnosed and answered. Knows no particular lab."""
