"""The URLs of the monolith. A trailing slash is optional and never asked for."""

from django.contrib import admin
from django.urls import path, re_path

from example_project.frame.home import home

from .catalog_copy.api import CatalogDetail, CatalogList
from .home import page
from .products.api import MarketDetail, MarketList, ProductDetail, ProductList

admin.site.site_header = admin.site.site_title = "Monolith"
admin.site.site_url = "/"

UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

urlpatterns = [
    path("", home(page)),
    path("admin/", admin.site.urls),
    re_path(r"^api/v1/product/?$", ProductList.as_view()),
    re_path(rf"^api/v1/product/(?P<product_uuid>{UUID})/?$", ProductDetail.as_view()),
    re_path(r"^api/v1/market/?$", MarketList.as_view()),
    re_path(r"^api/v1/market/(?P<iso_code>[A-Z]{2})/?$", MarketDetail.as_view()),
    re_path(r"^api/v1/catalog/?$", CatalogList.as_view()),
    re_path(rf"^api/v1/catalog/(?P<entry_uuid>{UUID})/?$", CatalogDetail.as_view()),
]
