// Composition and nothing else: what stands in the configuration goes where it belongs, everything starts in order and
// ends in order. Decisions live in the layers below.
#include "node/node.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <thread>

#include <unistd.h>

#include "base/fail_point.hpp"
#include "base/handler_section.hpp"
#include "bridges/amqp/amqp_bridge.hpp"
#include "bridges/http/dead_letters.hpp"
#include "bridges/http/http_admin.hpp"
#include "bridges/http/http_bridge.hpp"
#include "bridges/http/http_gateway.hpp"
#include "bridges/http/management.hpp"
#include "bridges/http/operator_pages.hpp"
#include "bridges/webhook/webhook_bridge.hpp"
#include "bridges/websocket/websocket_bridge.hpp"
#include "bridges/zmq/zmq_bridge.hpp"
#include "node/cli.hpp"
#include "node/files.hpp"
#include "node/plugin_project.hpp"
#include "runtime/core.hpp"
#include "runtime/jwt.hpp"
#include "runtime/log.hpp"

namespace switchboard::node {

namespace log = runtime::log;

namespace {

using clock_type = std::chrono::steady_clock;

/// Definitions of tens of thousands of queues come as one document.
constexpr std::size_t definitions_bytes_max = 32u << 20;

/// What may pass between shutdown.deadline and the end of the process.
constexpr std::chrono::milliseconds shutdown_grace{1000};

/// Signals that ask a node to stop, taken by one thread in sigwait; blocked in all others. Construct it before any
/// thread.
class stop_signals {
public:
  stop_signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
  }
  int wait() const {
    int which = 0;
    sigwait(&set_, &which);
    return which;
  }

private:
  sigset_t set_;
};

std::vector<std::string> folders_of(const std::string& list) {
  std::vector<std::string> folders;
  for (std::size_t begin = 0; begin <= list.size();) {
    const auto end = std::min(list.find(':', begin), list.size());
    if (end > begin)
      folders.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return folders;
}

/// Nothing is confirmed once the store or the broker's heart has failed, so serving on would only lie: end at once, and
/// recover at the next start.
void end_at_once(const error& why) {
  static std::atomic<bool> ending{false};
  while (ending.exchange(true)) // the first one's words must get out
    std::this_thread::sleep_for(std::chrono::seconds{1});
  log::failure("node_failed", {{"cause", why.what}});
  log::stop();
  std::_Exit(1);
}

log::level log_level(const std::string& name) {
  if (name == "debug")
    return log::level::debug;
  if (name == "warning")
    return log::level::warning;
  return name == "error" ? log::level::error : log::level::info;
}

expected<std::unique_ptr<runtime::core>> start_core(const config& settings) {
  runtime::core_options how;
  how.node_name = settings.node.name;
  how.data_dir = settings.node.data_dir;
  how.plugins_dir = plugins_dir(settings);
  how.plugins = settings.node.plugins;
  how.plugin_trial = own_plugin_trial();
  for (const auto& plugin : how.plugins)
    how.plugin_settings[plugin] = settings.settings_of(plugin);
  how.plugin_folders = folders_of(settings.node.plugin_folders);
  how.upgrade_failures_max = settings.node.upgrade_failures_max;
  how.io_threads = settings.node.io_threads;
  how.worker_threads = settings.node.worker_threads;
  how.handler_max = settings.node.handler_max;
  how.limits = {settings.broker.backlog_bytes_max, settings.broker.memory_bytes_max,
                settings.broker.resident_bytes_max};
  how.store_bytes_max = settings.store.map_bytes_max;
  how.store_log_bytes_max = settings.store.log_bytes_max;
  how.store_sync = settings.store.sync;
  how.disk_free_min = settings.store.disk_free_min;
  how.journal_window = settings.store.journal_window;
  how.entities.resident_max = settings.node.resident_entities_max;
  how.entities.reply_window = settings.service.reply_window;
  how.on_failure = end_at_once;
  return runtime::core::start(std::move(how));
}

expected<std::shared_ptr<const runtime::jwt_verifier>> make_verifier(const config& settings) {
  runtime::jwt_options how;
  auto secret = read_hs256_secret(settings);
  if (!secret)
    return secret.error();
  how.hs256_secret = *secret;
  if (!settings.jwt.rs256_public_key_file.empty()) {
    auto key = read_file(settings.jwt.rs256_public_key_file);
    if (!key)
      return key.error();
    how.rs256_public_key_pem = *key;
  }
  how.issuer = settings.jwt.issuer;
  how.audience = settings.jwt.audience;
  how.leeway = settings.jwt.leeway;
  return runtime::jwt_verifier::make(std::move(how));
}

/// The user of the configuration: made at the first start, and from then on the operator's; with a password file that
/// file stays the truth about the password.
expected<void> make_configured_user(const config& settings, const std::string& password, runtime::node_context& node) {
  auto& access = node.vhosts->access();
  const auto rules = access.rules();
  const auto* known = rules->find_user(settings.amqp.user);
  const bool from_file = !settings.amqp.password_file.empty();
  if (known ? !from_file || broker::is_password(password, known->password) : !rules->users().empty() && !from_file)
    return {};
  const auto tags = known ? known->tags : std::vector<std::string>{"administrator"};
  auto made = access.change([&](broker::access_rules& now) {
    return now.put_user(settings.amqp.user, broker::hash_password(password), tags);
  });
  if (!made || known)
    return made;
  return access.change([&](broker::access_rules& now) {
    return now.set_permission(settings.amqp.user, broker::default_vhost, ".*", ".*", ".*");
  });
}

/// Whose password everybody knows.
std::string loopback_user(const config& settings) {
  return settings.amqp.password_file.empty() ? settings.amqp.user : std::string{};
}

amqp::options amqp_options(const config& settings) {
  amqp::options how;
  how.host = settings.amqp.host;
  how.port = settings.amqp.port;
  how.tls_port = settings.amqp.tls_port;
  how.tls.certificate_file = settings.amqp.tls_certificate_file;
  how.tls.key_file = settings.amqp.tls_key_file;
  how.tls.ca_file = settings.amqp.tls_ca_file;
  how.tls.require_peer = settings.amqp.tls_require_client_certificate;
  how.tls.login_from_common_name = settings.amqp.tls_login_from == "common_name";
  how.loopback_user = loopback_user(settings);
  how.channel_max = settings.amqp.channel_max;
  how.frame_max_bytes = static_cast<std::uint32_t>(settings.amqp.frame_max.value);
  how.heartbeat_s =
      static_cast<std::uint16_t>(std::chrono::ceil<std::chrono::seconds>(settings.amqp.heartbeat).count());
  how.message_bytes_max = settings.amqp.message_bytes_max;
  how.consumer_timeout = settings.amqp.consumer_timeout;
  how.connections_max = settings.amqp.connections_max;
  how.connections_per_address_max = settings.amqp.connections_per_address_max;
  how.consumers_per_channel_max = settings.amqp.consumers_per_channel_max;
  return how;
}

websocket::options websocket_options(const config& settings) {
  websocket::options how;
  how.ping_interval = settings.websocket.ping_interval;
  how.pong_timeout = settings.websocket.pong_timeout;
  how.write_timeout = settings.websocket.write_timeout;
  how.outbox_bytes_max = settings.websocket.outbox_bytes_max;
  return how;
}

http::options public_options(const config& settings) {
  http::options how;
  how.host = settings.http.host;
  how.port = settings.http.port;
  how.body_bytes_max = settings.http.body_bytes_max;
  return how;
}

http::options admin_options(const config& settings) {
  http::options how;
  how.name = "admin";
  how.host = settings.admin.host;
  how.port = settings.admin.port;
  how.body_bytes_max = definitions_bytes_max;
  return how;
}

http::gateway_rules gateway_rules(const config& settings) {
  http::gateway_rules how;
  how.anonymous_from_loopback = settings.http.anonymous == "loopback";
  how.timeout = settings.http.request_timeout;
  how.timeout_max = std::max(how.timeout_max, how.timeout);
  how.body_bytes_max = settings.http.body_bytes_max;
  return how;
}

webhook::options webhook_options(const config& settings) {
  webhook::options how;
  how.sources = settings.webhook.sources;
  how.deliveries_max = settings.webhook.deliveries_max;
  how.timeout = settings.webhook.timeout;
  how.retry.first = settings.webhook.retry_min;
  how.retry.most = std::max(settings.webhook.retry_min, settings.webhook.retry_max);
  how.retry.attempts = settings.webhook.retry_limit;
  how.backlog_max = settings.webhook.backlog_max;
  how.private_addresses = settings.webhook.private_addresses;
  how.ca_file = settings.webhook.ca_file;
  return how;
}

bool has_plugin(const config& settings, std::string_view name) {
  const auto& all = settings.node.plugins;
  return std::find(all.begin(), all.end(), name) != all.end();
}

/// All bridges, in the order in which they start.
struct bridges {
  bridges(runtime::core& core, const config& settings, std::shared_ptr<const runtime::jwt_verifier> tokens)
      : websocket(core.node(), websocket_options(settings), tokens),
        gateway(std::make_shared<http::gateway>(core.node(), core.rpc(), tokens, gateway_rules(settings))),
        pages(std::make_shared<http::admin>(
            core.node(), std::make_shared<http::management>(core.node(), loopback_user(settings)),
            http::admin::readiness{}, std::make_shared<http::dead_letters>(core.node(), loopback_user(settings)),
            std::make_shared<http::operator_pages>(core.node(), core.plugins(), core.entities(),
                                                   loopback_user(settings)))),
        amqp(core.node(), amqp_options(settings)), zmq(core.node(), zmq_options(settings)),
        public_http(core.node(), public_options(settings), gateway, websocket.handler()),
        admin(core.node(), admin_options(settings), pages) {
    if (has_plugin(settings, "webhook")) // which knows what is to be delivered
      webhooks.emplace(core.node(), core.rpc(), webhook_options(settings));
  }

  static zmq_stream::options zmq_options(const config& settings) {
    zmq_stream::options how;
    how.host = settings.zmq.host;
    how.port = settings.zmq.port;
    how.send_high_water_mark = settings.zmq.send_high_water_mark;
    return how;
  }

  /// Webhooks before whatever lets events in.
  std::vector<runtime::bridge*> all() {
    std::vector<runtime::bridge*> each{&websocket, &zmq, &amqp, &public_http, &admin};
    if (webhooks)
      each.insert(each.begin(), &*webhooks);
    return each;
  }

  websocket::websocket_bridge websocket;
  std::shared_ptr<http::gateway> gateway;
  std::shared_ptr<http::admin> pages;
  amqp::amqp_bridge amqp;
  zmq_stream::zmq_bridge zmq;
  http::http_bridge public_http;
  http::http_bridge admin;
  std::optional<webhook::webhook_bridge> webhooks;
};

void greet(const bridges& at, const config& settings, std::chrono::duration<double> took) {
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.2f", took.count());
  const auto http = at.public_http.address();
  // As it was called, and to where this node really listens.
  const std::string called{program_invocation_name};
  const auto where = http == "http://127.0.0.1:8080" ? std::string{} : " --http " + http;
  const auto& plugins = settings.node.plugins;
  const bool has_calls = std::find(plugins.begin(), plugins.end(), "call") != plugins.end();
  std::cout << "switchboard " << settings.node.name << " is ready in " << seconds << " s\n"
            << "  AMQP    " << at.amqp.address() << "   user " << settings.amqp.user << ", any RabbitMQ client\n"
            << "  ZeroMQ  " << at.zmq.address() << "    events, two frames: topic, JSON\n"
            << "  HTTP    " << http << "   /v1/... and /ws\n"
            << "  admin   " << at.admin.address() << "   /metrics /healthz /readyz /api/actors\n"
            << "Try, in another terminal:\n"
            << "  " << called << " tail" << where << '\n';
  if (has_calls) // simulated by the loopback trunk
    std::cout << "  " << called << " call create --from +15551234567 --to +15559876543" << where << '\n'
              << "  curl " << http << "/v1/calls\n";
  std::cout << "  " << called << " --help\n" << std::flush;
}

int fail(const error& why) {
  log::stop();
  std::cerr << "switchboard: " << why.what << '\n';
  return 1;
}

constexpr auto fail_point_variable = "SWITCHBOARD_FAIL_POINT";

expected<void> arm_fail_points() {
  const char* wanted = std::getenv(fail_point_variable);
  if (!wanted)
    return {};
  auto plan = parse_fail_plan(wanted);
  if (!plan)
    return plan.error();
  log::warning("fail_points_armed", {{"plan", wanted}});
  the_fail_points.arm(*plan);
  return {};
}

/// The process ends even if a handler never returns: its thread could not be joined. Everything durable was flushed by
/// then, or is found again at the next start.
[[noreturn]] void leave_behind(const std::string& who) {
  log::failure("node_stopped_forcibly", {{"who", who}});
  log::stop();
  std::cerr << "switchboard: stopped, but had to leave behind: " << who << std::endl;
  std::_Exit(1);
}

std::string stuck_handlers() {
  std::string names;
  for (const auto& stuck : running_handlers(std::chrono::milliseconds{50}))
    names.append(names.empty() ? "" : ",").append(stuck.who.path);
  return names;
}

/// The last resort, in case a phase of shutdown hangs itself.
void end_after(std::chrono::milliseconds most) {
  std::thread{[most] {
    std::this_thread::sleep_for(most);
    const auto who = stuck_handlers();
    leave_behind(who.empty() ? "unknown" : who);
  }}.detach();
}

int serve(const config& settings, const stop_signals& signals, clock_type::time_point began) {
  if (auto made = make_missing_secret(settings); !made)
    return fail(made.error());
  auto password = load_amqp_password(settings);
  if (!password)
    return fail(password.error());
  auto tokens = make_verifier(settings);
  if (!tokens)
    return fail(tokens.error());
  auto core = start_core(settings);
  if (!core)
    return fail(core.error());
  if (auto made = make_configured_user(settings, *password, (*core)->node()); !made)
    return fail(made.error());
  bridges at{**core, settings, *tokens};
  for (auto* bridge : at.all())
    if (auto started = bridge->start(); !started) {
      (*core)->shutdown(at.all(), std::chrono::seconds{2});
      return fail(started.error());
    }
  greet(at, settings, clock_type::now() - began);
  log::info("node_ready", {{"node", settings.node.name}, {"incarnation", (*core)->store().incarnation()}});

  const auto signal = signals.wait();
  log::info("node_stopping", {{"signal", signal}});
  // A second signal does not wait for anybody.
  std::thread{[&signals] {
    signals.wait();
    std::_Exit(1);
  }}.detach();
  end_after(settings.shutdown.deadline + shutdown_grace);
  (*core)->shutdown(at.all(), settings.shutdown.deadline);
  if (const auto who = stuck_handlers(); !who.empty())
    leave_behind(who);
  log::info("node_stopped");
  return 0;
}

} // namespace

int run_node(const config& settings) {
  const auto began = clock_type::now();
  const stop_signals signals;
  log::start(log_level(settings.log.level), settings.log.format);
  if (auto armed = arm_fail_points(); !armed) {
    fail({armed.error().code, std::string{fail_point_variable} + ": " + armed.error().what});
    return wrong_config;
  }
  const auto code = serve(settings, signals, began);
  log::stop();
  return code;
}

} // namespace switchboard::node
