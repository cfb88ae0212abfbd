"""Sample the posterior of a ticket's surviving weights by Markov chain Monte Carlo."""
