# Read by gunicorn where it is started.
bind = "0.0.0.0:8080"
workers = 2
# Where workers leave their sign of life: in memory, since the root file system may be read-only.
worker_tmp_dir = "/dev/shm"
# No socket for gunicorn's own command: it would be in the home folder, which nobody can write to.
control_socket_disable = True
