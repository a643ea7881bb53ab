// A tariff: says what a call to a number costs. A worker answers requests and keeps no state; each request is decided
// on its own, many at the same time.
#include "sdk/plugin.hpp"

namespace {

using namespace switchboard;
using sdk::context, sdk::message, sdk::task;

/// Cents a minute by the beginning of the number, from the settings: [plugin.tariff.cents] "+49" = 2. The longest
/// beginning wins.
std::optional<std::int64_t> cents_for(std::string_view number, const json& settings) {
  const auto table = settings.find("cents");
  if (table == settings.end() || !table->is_object())
    return std::nullopt;
  for (auto size = number.size(); size > 0; --size) {
    const auto found = table->find(std::string{number.substr(0, size)});
    if (found != table->end() && found->is_number_integer())
      return found->get<std::int64_t>();
  }
  return std::nullopt;
}

task show(const message& msg, const context& ctx) {
  const auto number = msg.path_parameter("number");
  const auto cents = cents_for(number, ctx.settings());
  if (!cents)
    return sdk::refused<sdk::stateless>(404, "NOT_FOUND", "no tariff for " + number);
  return task{}.reply(200, {{"number", number}, {"cents_per_minute", *cents}});
}

/// Announces what was quoted, so that others can hold us to it.
task quote(const message& msg, const context& ctx) {
  sdk::body_reader in{msg};
  const auto number = in.text("number");
  const auto minutes = in.integer("minutes", 1, 1, 1440);
  if (in.wrong())
    return sdk::refused<sdk::stateless>(*in.wrong());
  const auto cents = cents_for(number, ctx.settings());
  if (!cents)
    return sdk::refused<sdk::stateless>(404, "NOT_FOUND", "no tariff for " + number);
  const json quoted{{"id", ctx.id()}, {"number", number}, {"cents", *cents * minutes}};
  return task{}.event_about(ctx.id(), "tariff.quoted", quoted).reply(200, quoted);
}

const sdk::stateless_type& type() {
  static const auto made =
      sdk::worker("tariff", "tariff",
                  {sdk::serves("GET", "/v1/tariffs/{number}", show), sdk::serves("POST", "/v1/tariffs/quotes", quote)});
  return made;
}

} // namespace

SWITCHBOARD_PLUGIN("tariff", "1.0.0", &type)
