"""``/api/v1/product`` and ``/api/v1/market``."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import generics, serializers

from . import rules
from .models import Market, Product

__all__ = ["MarketDetail", "MarketList", "ProductDetail", "ProductList"]


class MarketSerializer(serializers.ModelSerializer):
    class Meta:
        model = Market
        fields = ("iso_code", "name")

    def create(self, validated_data: dict[str, Any]) -> Market:
        return rules.create_market(**validated_data)

    def update(self, instance: Market, validated_data: dict[str, Any]) -> Market:
        return rules.change_market(instance, **_without_key(instance, validated_data, "iso_code"))


class ProductSerializer(serializers.ModelSerializer):
    product_uuid = serializers.UUIDField(required=False)

    class Meta:
        model = Product
        fields = ("product_uuid", "name", "product_category", "discontinued")

    def create(self, validated_data: dict[str, Any]) -> Product:
        return rules.create_product(**validated_data)

    def update(self, instance: Product, validated_data: dict[str, Any]) -> Product:
        return rules.change_product(instance, **_without_key(instance, validated_data, "product_uuid"))


def _without_key(instance: Market | Product, changes: dict[str, Any], key: str) -> dict[str, Any]:
    """The changes without the key where a client only repeats it."""
    if key in changes and changes[key] == getattr(instance, key):
        return {name: value for name, value in changes.items() if name != key}
    return changes


class MarketList(generics.ListCreateAPIView):
    queryset = Market.objects.all()
    serializer_class = MarketSerializer


class MarketDetail(generics.RetrieveUpdateDestroyAPIView):
    queryset = Market.objects.all()
    serializer_class = MarketSerializer
    lookup_field = "iso_code"

    def perform_destroy(self, instance: Market) -> None:
        rules.delete_market(instance)


class ProductList(generics.ListCreateAPIView):
    serializer_class = ProductSerializer

    def get_queryset(self) -> QuerySet[Product]:
        """All products; ``?name=`` asks for a part of the name."""
        name = self.request.query_params.get("name", "")
        return Product.objects.filter(name__icontains=name) if name else Product.objects.all()


class ProductDetail(generics.RetrieveUpdateDestroyAPIView):
    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    lookup_field = "product_uuid"

    def perform_destroy(self, instance: Product) -> None:
        rules.delete_product(instance)
