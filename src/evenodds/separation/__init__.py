"""Which columns separate the classes, so that the likelihood has no maximum.

`separation_of` is the one judge, for a home of data: `find_separation` puts its answer into words, a fit asks it at its
end through `Question`, and while it runs through `Watch`. Without a penalty the loss has no minimum exactly when some
direction d has s_i x_i d >= 0 on all rows and > 0 on some, s = 2y - 1 (Albert and Anderson, Biometrika 71, 1984).

It is imported part by part, as most fits need little of it: `finding` is what users ask, `question` and `watch` what
fits do.
"""
