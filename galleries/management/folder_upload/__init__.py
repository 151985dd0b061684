"""What `manage.py upload_folder` is made of. It talks to a site somewhere else, over the API and with the standard
library alone: no database, no Redis and no model of this machine is touched.
"""
