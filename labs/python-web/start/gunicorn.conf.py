# Read by gunicorn where it is started.
bind = "0.0.0.0:8080"
workers = 2
