from django.db import migrations


def in_the_citys_order(apps, schema_editor):
    """Combinations become a list, because an object loses its order on PostgreSQL."""
    Service = apps.get_model("appointments", "Service")
    services = list(Service.objects.all())
    for service in services:
        if isinstance(service.combinable, dict):
            service.combinable = [[int(other), offices] for other, offices in service.combinable.items()]
    Service.objects.bulk_update(services, ["combinable"], batch_size=200)


def read_the_list_anew(apps, schema_editor):
    """The city would answer "not modified", and the new fields would stay empty until its list changes."""
    apps.get_model("appointments", "CatalogueState").objects.update(last_modified="")
    apps.get_model("appointments", "Lease").objects.filter(name="catalogue").delete()


class Migration(migrations.Migration):

    dependencies = [
        ("appointments", "0010_catalogue_change"),
    ]

    operations = [
        migrations.RunPython(in_the_citys_order, migrations.RunPython.noop),
        migrations.RunPython(read_the_list_anew, migrations.RunPython.noop),
    ]
