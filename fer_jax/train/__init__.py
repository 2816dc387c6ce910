"""Training: one trial's mathematics, and many trials compiled into one program.

What runs together and when belongs to plan/ and launch/; networks belong to models/.
"""
