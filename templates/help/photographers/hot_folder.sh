.venv/bin/python manage.py upload_folder {{ site }}/albums/ALBUM/ FOLDER --token TOKEN --watch
