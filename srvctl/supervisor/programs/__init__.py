"""Processes beside the workers, in any language: started in order, watched, started again, stopped in order.

`places` and `supervision` are pure and part of the fleet; `hands` does what they decide.
"""
