"""What aioamqp's suite uses of pyrabbit2, which Debian has not: making its vhost, which is / here and there already. What
it asks of RabbitMQ's management plugin besides fails."""


class Client:
    def __init__(self, *arguments, **named):
        pass

    def create_vhost(self, name):
        pass

    delete_vhost = create_vhost

    def set_vhost_permissions(self, **named):
        pass
