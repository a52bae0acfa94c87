"""A simulated city: the appointment system of Munich as its citizen API shows it, for demo and tests.

`CityWorld` is the state, `city_app` puts it behind WSGI, `Keeper` runs beside it when it is served for real.
"""

from termin_project.sandbox.city.clock import Clock
from termin_project.sandbox.city.keeper import Keeper
from termin_project.sandbox.city.world import CityWorld
from termin_project.sandbox.city.wsgi import city_app

__all__ = ["CityWorld", "Clock", "Keeper", "city_app"]
