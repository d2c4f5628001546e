# Read by gunicorn where it is started.
bind = "0.0.0.0:8080"
workers = 2
# No socket for gunicorn's own command: it would be in the home folder, which nobody can write to.
control_socket_disable = True
