"""The table of suites: where each comes from, what is changed in its copy, how it is run, where its results stand.

Commands run in the suite's folder with a broker on 127.0.0.1:5672. In them and in the environment, {results} is the
file that `results` reads, {source} the folder itself, {support} the folder of that name here, {sources} where all suites' sources are.
"""

import dataclasses
import typing

import results
from sources import Debian, Npm

PYTEST = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "--timeout=120",
          "--junitxml={results}"]
JARS = "classes:" + ":".join(f"/usr/share/java/{jar}.jar" for jar in (
    "amqp-client", "junit4", "hamcrest", "slf4j-api", "logback-classic", "logback-core", "mockito-core",
    "byte-buddy", "byte-buddy-agent", "objenesis", "commons-cli", "metrics-core"))


@dataclasses.dataclass(frozen=True)
class Suite:
    name: str
    language: str
    source: typing.Union[Debian, Npm]
    command: list
    results: typing.Callable  # of results.py
    edits: tuple = ()  # (pattern of paths, text, its replacement): once, after fetching
    prepare: tuple = ()  # commands, once, after the edits
    needs: tuple = ()  # other suites and libraries whose sources it uses, as {sources}/NAME
    environment: dict = dataclasses.field(default_factory=dict)
    stdout: bool = False  # what the command prints is its result
    # Tests that are about something else than an AMQP server on its usual port: a regular expression of their names.
    leave_out: str = ""
    on_purpose: dict = dataclasses.field(default_factory=dict)  # tests that may fail here: why
    timeout_s: int = 900


@dataclasses.dataclass(frozen=True)
class Library:
    """Sources that suites need in a version which is not installed."""

    name: str
    source: typing.Union[Debian, Npm]
    edits: tuple = ()
    prepare: tuple = ()


def java_classes():
    functional = """ConnectionOpen Heartbeat Tables DoubleDeletion Routing BindingLifecycle Recover Reject Transactions
        RequeueOnConnectionClose RequeueOnChannelClose DurableOnTransient NoRequeueOnCancel ExchangeDeleteIfUnused
        QosTests AlternateExchange ExchangeExchangeBindings ExchangeExchangeBindingsAutoDelete ExchangeDeclare FrameMax
        QueueLifecycle QueueLease QueueExclusivity QueueSizeLimit InvalidAcks InvalidAcksTx DefaultExchange
        UnbindAutoDeleteExchange Confirm ConsumerCancelNotification UnexpectedFrames PerMessageTTL
        PerQueueVsPerMessageTTL PerQueueTTL DeadLetterExchange SaslMechanisms UserIDHeader InternalExchange CcRoutes
        HeadersExchangeValidation ConsumerPriorities ExceptionHandling PerConsumerPrefetch DirectReplyTo ConsumerCount
        BasicGet Nack ExceptionMessages BasicConsume MessageCount""".split()
    client = """ChannelRpcTimeoutIntegrationTest Bug20004Test CloseInMainLoop ChannelNumberAllocationTests
        MultiThreadedChannel AMQBuilderApiTest SharedThreadPoolTest JavaNioTest RpcTest
        ChannelAsyncCompletableFutureTest""".split()
    server = "XDeathHeaderGrowth PriorityQueues AlternateExchangeEquivalence".split()
    package = "com.rabbitmq.client.test."
    return ([package + "functional." + name for name in functional] + [package + name for name in client]
            + [package + "server." + name for name in server])


# Debian's pamqp reads times without their zone, which aio-pika's suite compares.
LIBRARIES = [Library("pamqp", Debian("python-pamqp", "trixie"))]


def go_path(name):
    """Debian's Go packages are a GOPATH; ours, with one package in it, goes first."""
    folder = "gopath/src/" + name.rsplit("/", 1)[0]
    up = "/".join([".."] * (folder.count("/") + 1))
    return ["sh", "-c", f"mkdir -p {folder} && ln -s {up} gopath/src/{name}"]


def go_suite(name, package, release, path, prepare=()):
    return Suite(name, "Go", Debian(package, release), results=results.go, stdout=True,
                 prepare=(go_path(path), *prepare),
                 environment={"GO111MODULE": "off", "GOPATH": "{source}/gopath:/usr/share/gocode", "GOFLAGS": "",
                              "GOCACHE": "{source}/cache", "AMQP_URL": "amqp://guest:guest@127.0.0.1:5672/"},
                 command=["sh", "-c", f"cd gopath/src/{path} && go test -json -tags integration ."])


SUITES = [
    Suite("amqplib", "JavaScript", Npm("amqplib@0.10.9"), results=results.junit,
          prepare=(["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts",
                    "mocha@9", "claire@0.4.1"],),
          command=["node_modules/.bin/mocha", "-u", "tdd", "--exit", "--reporter", "xunit", "--reporter-option",
                   "output={results}", "test/"]),
    Suite("pika", "Python", Debian("python-pika", "trixie"), results=results.junit,
          command=[*PYTEST, "tests/acceptance/async_adapter_tests.py", "tests/acceptance/blocking_adapter_test.py",
                   "tests/acceptance/enforce_one_basicget_test.py", "tests/acceptance/io_services_tests.py",
                   "tests/acceptance/twisted_adapter_tests.py"]),
    Suite("py-amqp", "Python", Debian("python-amqp", "trixie"), results=results.junit, leave_out="tls",
          command=[*PYTEST, "t/integration"]),
    Suite("aiormq", "Python, asyncio", Debian("python-aiormq", "trixie"), results=results.junit, leave_out="amqps|test_ssl",
          environment={"PYTHONPATH": "{source}:{support}/python"},
          command=[*PYTEST, "-p", "aiomisc_pytest", "--asyncio-mode=auto", "-k", "not amqps", "tests"]),
    Suite("aio-pika", "Python, asyncio", Debian("python-aio-pika", "sid"), results=results.junit, leave_out="amqps",
          needs=("aiormq", "pamqp"),
          environment={"PYTHONPATH": "{source}:{sources}/aiormq:{sources}/pamqp:{support}/python"},
          command=[*PYTEST, "-p", "aiomisc_pytest", "--asyncio-mode=auto", "--ignore=tests/test_amqps.py", "tests"]),
    Suite("aioamqp", "Python, asyncio", Debian("python-aioamqp", "bookworm"), results=results.junit,
          environment={"PYTHONPATH": "{source}:{support}/python", "AMQP_VHOST": "/", "AMQP_REFRESH_TIME": "0"},
          command=[*PYTEST, "aioamqp/tests"]),
    Suite("bunny", "Ruby", Debian("ruby-bunny", "trixie"), results=results.rspec,
          # Its stress tests take half an hour. No rabbitmqctl, management plugin, TLS or Toxiproxy: what its Docker
          # image sets up as user and vhost are the default ones here.
          edits=(("spec/spec_helper.rb", "require 'bundler'\nBundler.require(:default, :test)\n", ""),
                 ("spec/**/*.rb", "bunny_gem", "guest"), ("spec/**/*.rb", "bunny_password", "guest"),
                 ("spec/**/*.rb", "bunny_testbed", "/")),
          command=["rspec", "-I", "lib", "--format", "documentation", "--format", "json", "--out", "{results}",
                   "--exclude-pattern",
                   "spec/{{stress/*,**/{{connection_recovery,connection_stop,tls_connection,toxiproxy}}_spec.rb}}"]),
    go_suite("amqp091-go", "golang-github-rabbitmq-amqp091-go", "bookworm", "github.com/rabbitmq/amqp091-go"),
    # Go takes its certificate no more, and the panic that follows hits whatever test runs then.
    go_suite("streadway-amqp", "golang-github-streadway-amqp", "bookworm", "github.com/streadway/amqp",
             prepare=(["rm", "tls_test.go"],)),
    Suite("php-amqplib", "PHP", Debian("php-amqplib", "trixie"), results=results.junit, leave_out="SSL",
          prepare=(["sh", "-c", "mkdir vendor && cp {support}/autoload.php vendor/autoload.php"],),
          environment={"TEST_RABBITMQ_HOST": "127.0.0.1"},
          command=["phpunit", "--bootstrap", "tests/bootstrap.php", "--no-configuration", "--test-suffix", "Test.php",
                   "--log-junit", "{results}", "tests/Functional"]),
    Suite("php-amqp", "PHP, in C", Debian("php-amqp", "bookworm"), results=results.junit,
          command=["phpunit", "--no-configuration", "--test-suffix", ".phpt", "--log-junit", "{results}", "tests"]),
    Suite("amqp-client", "Java", Debian("rabbitmq-java-client", "bookworm"), results=results.lines, stdout=True,
          # Metrics waits with Awaitility, which Debian has not. restartingExpiry restarts the broker by its makefile, and
          # leaves a durable queue behind that all later tests of times to live want as an exclusive one.
          edits=(("src/test/java/com/rabbitmq/client/test/functional/FunctionalTests.java", ",\n\tMetrics.class", ""),
                 ("src/test/java/com/rabbitmq/client/test/functional/PerMessageTTL.java", "@Test public void restarting",
                  "public void restarting")),
          prepare=(["rm", "src/test/java/com/rabbitmq/client/test/functional/Metrics.java"],
                   ["sh", "-c", "mkdir classes && "
                                f"javac -nowarn -d classes -cp {JARS} {{support}}/RunTests.java "
                                "$(find src/test/java -name '*.java') && cp src/test/resources/* classes"],),
          on_purpose={"FrameMax.rejectLargeFramesDuringConnectionNegotiation":
                      "frames before tune-ok may have 8 KiB, as in RabbitMQ 4; 3.10 has 4 KiB"},
          # A process each: some classes leave connections with exclusive queues open.
          command=["sh", "-c", "for class in " + " ".join(java_classes()) + "; do timeout 120 java -cp " + JARS +
                   " -Dlogback.configurationFile=/dev/null RunTests $class; done"]),
    Suite("rabbitmq-c", "C", Debian("librabbitmq", "bookworm"), results=results.junit,
          prepare=(["cmake", "-B", "build", "-DRUN_SYSTEM_TESTS=ON", "-DBUILD_EXAMPLES=OFF", "-DBUILD_TOOLS=OFF"],
                   ["cmake", "--build", "build"]),
          command=["ctest", "--test-dir", "build", "--output-junit", "{results}"]),
    Suite("anyevent-rabbitmq", "Perl", Debian("libanyevent-rabbitmq-perl", "bookworm"), results=results.tap,
          stdout=True,
          command=["prove", "--verbose", "xt/04_anyevent.t", "xt/05_multi_channel.t", "xt/06_close.t"]),
]
