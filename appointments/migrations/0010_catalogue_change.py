import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("appointments", "0009_catalogue_rules"),
    ]

    operations = [
        migrations.AddField(
            model_name='cataloguestate',
            name='believe_next',
            field=models.BooleanField(default=False, help_text='Set by staff, for one list.', verbose_name='believe the next list'),
        ),
        migrations.AddField(
            model_name='cataloguestate',
            name='refusal',
            field=models.CharField(blank=True, default='', max_length=200, verbose_name='what it lacked'),
        ),
        migrations.AddField(
            model_name='cataloguestate',
            name='refused_at',
            field=models.DateTimeField(blank=True, help_text="Since when the city's list has lacked so much that we keep the one before.", null=True, verbose_name='not believed since'),
        ),
        migrations.AlterField(
            model_name='cataloguestate',
            name='last_error',
            field=models.CharField(blank=True, default='', max_length=100, verbose_name='last error'),
        ),
        migrations.CreateModel(
            name='CatalogueChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('new', 'new'), ('renamed', 'renamed'), ('withdrawn', 'withdrawn'), ('returned', 'returned'), ('moved', 'moved'), ('rules', 'rules changed')], max_length=10, verbose_name='what happened')),
                ('before', models.JSONField(blank=True, default=dict, verbose_name='before')),
                ('after', models.JSONField(blank=True, default=dict, verbose_name='after')),
                ('at', models.DateTimeField(verbose_name='seen')),
                ('office', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='appointments.office', verbose_name='office')),
                ('service', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='appointments.service', verbose_name='service')),
            ],
            options={
                'verbose_name': 'change of the catalogue',
                'verbose_name_plural': 'changes of the catalogue',
                'ordering': ('-at', '-pk'),
                'indexes': [models.Index(fields=['-at'], name='catalogue_change_by_time')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('office__isnull', False), ('service', None)), models.Q(('office', None), ('service__isnull', False)), _connector='OR'), name='catalogue_change_is_about_one_thing')],
            },
        ),
    ]
