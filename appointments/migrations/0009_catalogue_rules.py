from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("appointments", "0008_staff_alert"),
    ]

    operations = [
        migrations.AddField(
            model_name='office',
            name='disabled_services_mix',
            field=models.JSONField(blank=True, default=list, verbose_name='offices that share such services'),
        ),
        migrations.AddField(
            model_name='office',
            name='exclusive',
            field=models.BooleanField(default=False, help_text='The city offers no other office in its place.', verbose_name='no other office instead'),
        ),
        migrations.AddField(
            model_name='office',
            name='place_name',
            field=models.CharField(blank=True, default='', max_length=300, verbose_name='name of the place'),
        ),
        migrations.AddField(
            model_name='office',
            name='slot_minutes',
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name='minutes of one slot'),
        ),
        migrations.AddField(
            model_name='service',
            name='root_parent_upstream_id',
            field=models.IntegerField(blank=True, null=True, verbose_name='family of variants'),
        ),
        migrations.AlterField(
            model_name='service',
            name='combinable',
            field=models.JSONField(blank=True, default=list, verbose_name='combines with'),
        ),
        migrations.AlterField(
            model_name='service',
            name='parent_upstream_id',
            field=models.IntegerField(blank=True, null=True, verbose_name='variant of'),
        ),
        migrations.AlterField(
            model_name='service',
            name='variant',
            field=models.IntegerField(blank=True, null=True, verbose_name='kind of variant'),
        ),
    ]
