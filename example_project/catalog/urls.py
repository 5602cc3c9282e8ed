"""The URLs of the catalog service, all below ``/catalog`` but for the home page."""

from django.contrib import admin
from django.urls import path, re_path

from example_project.frame.home import home

from .api import api
from .home import page

admin.site.site_header = admin.site.site_title = "Catalog service"
admin.site.site_url = "/catalog/"

urlpatterns = [
    path("", home(page)),
    re_path(r"^catalog/?$", home(page)),
    path("catalog/admin/", admin.site.urls),
    path("catalog/api/", api.urls),
]
