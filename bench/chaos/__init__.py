"""Real processes, a simulated city in a bad mood, and kill -9 at random moments: does anybody come to harm?"""
