"""guest.py NAME: what answers in a server's namespace, for want of a guest: its name on TCP 22 and 80."""
import selectors
import socket
import sys

name = sys.argv[1].encode()
selector = selectors.DefaultSelector()
for port in (22, 80):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=16)
    selector.register(listener, selectors.EVENT_READ, port)
while True:
    for key, _ in selector.select():
        try:
            connection, _ = key.fileobj.accept()
            with connection:
                connection.settimeout(2)
                if key.data == 22:
                    connection.sendall(b"SSH-2.0-rig " + name + b"\r\n")
                else:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s\n" % (len(name) + 1, name))
        except OSError:
            pass
