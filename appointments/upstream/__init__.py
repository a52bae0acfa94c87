"""The island where the wire ends: the city's citizen API in, frozen dataclasses and named errors out.

Nothing in this package knows Django. `CitizenApi` (client.py) has one method per endpoint, `types` says what they
return, `errors` what they raise, `answers` tells an answer from an error, `reading` turns JSON into the types.
Free times are asked for in several dialects of the API: `availability` has them, `dialects` finds out which is spoken.
"""
