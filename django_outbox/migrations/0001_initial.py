import uuid

import django.db.models.deletion
from django.db import migrations, models

import django_outbox.events
import django_outbox.fields

from ._operations import AddUnsentIndex


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="BackfillRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("model", models.CharField(max_length=255)),
                ("cursor", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "running"), ("paused", "paused"), ("done", "done")],
                        default="running",
                        max_length=16,
                    ),
                ),
                (
                    "rate",
                    models.PositiveIntegerField(blank=True, help_text="Rows a second, at most.", null=True),
                ),
                ("rows", models.BigIntegerField(default=0)),
                ("started_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "backfill run",
            },
        ),
        migrations.CreateModel(
            name="ConsumerKey",
            fields=[
                ("id", django_outbox.fields.HashField(primary_key=True, serialize=False)),
                ("group", models.CharField(max_length=249)),
                ("topic", models.CharField(max_length=249)),
                ("key", models.TextField()),
                ("source", models.CharField(blank=True, max_length=255)),
                ("epoch", models.IntegerField(null=True)),
                ("sequence", models.BigIntegerField(null=True)),
                ("event_id", models.CharField(blank=True, max_length=255)),
                ("parked", models.BooleanField(default=False)),
            ],
            options={
                "verbose_name": "consumer key",
            },
        ),
        migrations.CreateModel(
            name="HeldKey",
            fields=[
                ("key_hash", django_outbox.fields.HashField(primary_key=True, serialize=False)),
                ("topic", models.CharField(max_length=249)),
                ("key", models.TextField()),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_try_at", models.DateTimeField()),
                ("dead", models.BooleanField(default=False)),
                ("error", models.TextField()),
            ],
            options={
                "verbose_name": "held key",
            },
        ),
        migrations.CreateModel(
            name="Lane",
            fields=[
                ("number", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ("holder", models.UUIDField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "lane",
            },
        ),
        migrations.CreateModel(
            name="OutboxKey",
            fields=[
                ("key_hash", django_outbox.fields.HashField(primary_key=True, serialize=False)),
                ("topic", models.CharField(max_length=249)),
                ("key", models.TextField()),
                ("epoch", models.IntegerField()),
                ("epoch_began", models.BigIntegerField()),
                ("last_sequence", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "key",
            },
        ),
        migrations.CreateModel(
            name="OutboxTopic",
            fields=[
                ("id", django_outbox.fields.HashField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=249)),
                ("owner", models.CharField(max_length=100)),
                ("epoch", models.IntegerField(default=1)),
            ],
            options={
                "verbose_name": "topic",
            },
        ),
        migrations.CreateModel(
            name="Position",
            fields=[
                ("id", django_outbox.fields.HashField(primary_key=True, serialize=False)),
                ("group", models.CharField(max_length=249)),
                ("topic", models.CharField(max_length=249)),
                ("partition", models.IntegerField()),
                ("next_offset", models.BigIntegerField()),
                ("cluster_id", models.CharField(max_length=255, null=True)),
                ("topic_id", models.CharField(max_length=255, null=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "verbose_name": "position",
            },
        ),
        migrations.CreateModel(
            name="Relay",
            fields=[
                ("token", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=255)),
                ("standing", models.BooleanField()),
                ("alive_until", models.DateTimeField()),
            ],
            options={
                "verbose_name": "relay",
            },
        ),
        migrations.CreateModel(
            name="OutboxEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_id", models.UUIDField(default=django_outbox.events.uuid7, editable=False)),
                ("topic", models.CharField(max_length=249)),
                ("key", models.TextField()),
                ("key_hash", django_outbox.fields.HashField()),
                ("lane", models.PositiveSmallIntegerField()),
                ("sequence", models.BigIntegerField()),
                ("epoch", models.IntegerField()),
                ("first", models.BooleanField()),
                ("type", models.CharField(max_length=255)),
                ("version", models.PositiveIntegerField(default=1)),
                ("operation", models.CharField(max_length=16)),
                ("payload", models.JSONField()),
                ("headers", models.JSONField(default=dict)),
                ("recorded_at", models.DateTimeField()),
                ("sent", models.BooleanField(default=False)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "event",
                "constraints": [
                    models.UniqueConstraint(fields=("key_hash", "sequence"), name="outbox_event_sequence")
                ],
            },
        ),
        migrations.CreateModel(
            name="WaitingChild",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("parent", django_outbox.fields.HashField(db_index=True)),
                ("replica", models.CharField(max_length=255)),
                ("epoch", models.IntegerField()),
                ("sequence", models.BigIntegerField()),
                ("message_key", models.BinaryField()),
                ("message_value", models.BinaryField()),
                ("message_headers", models.BinaryField(default=bytes)),
                ("since", models.DateTimeField(auto_now_add=True)),
                (
                    "key_row",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="waiting_child",
                        to="django_outbox.consumerkey",
                    ),
                ),
            ],
            options={
                "verbose_name": "waiting child",
                "verbose_name_plural": "waiting children",
            },
        ),
        migrations.CreateModel(
            name="ParkedMessage",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("group", models.CharField(max_length=249)),
                ("topic", models.CharField(max_length=249)),
                ("partition", models.IntegerField()),
                ("offset", models.BigIntegerField()),
                ("epoch", models.IntegerField(null=True)),
                ("sequence", models.BigIntegerField(null=True)),
                ("event_id", models.CharField(blank=True, max_length=255)),
                ("type", models.CharField(blank=True, max_length=255)),
                ("message_key", models.BinaryField(null=True)),
                ("message_value", models.BinaryField(null=True)),
                ("message_headers", models.BinaryField(default=bytes)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("failed", "failed"),
                            ("missing", "missing"),
                            ("skipped", "skipped"),
                            ("unusable", "unusable"),
                        ],
                        max_length=16,
                    ),
                ),
                ("error", models.TextField(blank=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_try_at", models.DateTimeField(null=True)),
                (
                    "release_offset",
                    models.BigIntegerField(
                        help_text="The end of the partition when the wait at a hole ended.", null=True
                    ),
                ),
                ("parked_at", models.DateTimeField(auto_now_add=True)),
                (
                    "key_row",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="django_outbox.consumerkey",
                    ),
                ),
            ],
            options={
                "verbose_name": "parked message",
                "indexes": [
                    models.Index(fields=["key_row", "epoch", "sequence"], name="outbox_parked_order"),
                    models.Index(fields=["next_try_at"], name="outbox_parked_due"),
                ],
            },
        ),
        AddUnsentIndex(),
    ]
