"""The portal: pages for people, over the functions behind the API's routes."""
