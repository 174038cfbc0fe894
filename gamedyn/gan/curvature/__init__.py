"""Structured curvature of GANs: the players are coupled through the generated batch alone, `K = M_D · J_G`.

Each network is linearised once a step, layer by layer, and every product is made of tangent and cotangent
passes: no double backward. Networks that the rules do not cover fall back, one by one, to autograd.
"""
