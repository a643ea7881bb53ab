// A worker and a subscriber for the tests of the runtime: the worker announces what it was asked, the subscriber
// answers every event of a counter by an event of its own.
#include "sdk/plugin.hpp"

namespace switchboard::test {

namespace {

using sdk::context;
using sdk::message;
using sdk::task;

task work(const message& msg, const context& ctx) {
  sdk::body_reader in{msg};
  const auto number = in.integer("n", 0, 0, 1000);
  if (in.wrong())
    return sdk::refused<sdk::stateless>(*in.wrong());
  const json seen{{"n", number}, {"name", msg.path_parameter("name")}, {"decided_as", ctx.id()}};
  return task{}.event_about(msg.path_parameter("name"), "work.done", seen).reply(200, seen);
}
task look(const message& msg, const context&) {
  return task{}.reply(200, {{"query", msg.query}, {"name", msg.path_parameter("name")}});
}
task fail(const message&, const context&) { throw std::runtime_error("asked to fail"); }

task changed(const message& msg, const context&) {
  return task{}.event_about(msg.from_id, "echo.heard", {{"type", msg.name}, {"value", (*msg.body())["value"]}});
}

} // namespace

const sdk::stateless_type& worker_type() {
  static const auto made =
      sdk::worker("work", "work",
                  {sdk::serves("POST", "/v1/works/{name}", work), sdk::serves("GET", "/v1/works/{name}", look),
                   sdk::serves("POST", "/v1/works/{name}/fail", fail)});
  return made;
}
const sdk::stateless_type& subscriber_type() {
  static const auto made =
      sdk::subscriber("echo", {sdk::on("counter.created", changed), sdk::on("counter.changed", changed)});
  return made;
}

} // namespace switchboard::test

SWITCHBOARD_PLUGIN("tasks", "1.0.0", &switchboard::test::worker_type, &switchboard::test::subscriber_type)
