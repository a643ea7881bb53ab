// The map of this file: state and view, the one place where a target's status changes, requests, the gateway's reports,
// timers.
#include "actors/message/message.hpp"

#include <algorithm>
#include <utility>

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(target, number, status, attempts, reason, updated)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(text_message, id, customer_id, direction, source, text, encoding, segments, targets,
                                   simulated, created, updated)

namespace {

using result = sdk::outcome<text_message>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds gateway_timeout_default = std::chrono::seconds{10};
constexpr milliseconds report_timeout_default = std::chrono::hours{24};
constexpr milliseconds keep_default = std::chrono::hours{24};
constexpr std::size_t targets_max = 50;
constexpr std::size_t segments_max = 10;
constexpr std::size_t text_bytes = 4 * 153 * segments_max; // no text of ten segments is longer
constexpr std::size_t id_bytes = 120;                      // a target's id is a bit longer and must be one as well

std::string target_id(const text_message& m, std::size_t n) { return m.id + "." + std::to_string(n + 1); }

json view(const text_message& m) {
  json targets = json::array();
  for (std::size_t n = 0; n < m.targets.size(); ++n) {
    const auto& one = m.targets[n];
    targets.push_back({{"id", target_id(m, n)},
                       {"destination", {{"type", "tel"}, {"target", one.number}}},
                       {"status", sdk::text(one.status)},
                       {"attempts", one.attempts},
                       {"reason", one.reason},
                       {"tm_update", sdk::shown(one.updated)}});
  }
  json shown{{"id", m.id},
             {"customer_id", m.customer_id},
             {"type", "sms"},
             {"direction", sdk::text(m.direction)},
             {"source", {{"type", "tel"}, {"target", m.source}}},
             {"text", m.text},
             {"encoding", sdk::text(m.encoding)},
             {"segments", m.segments},
             {"targets", std::move(targets)},
             {"tm_create", sdk::shown(m.created)},
             {"tm_update", sdk::shown(m.updated)}};
  if (m.simulated)
    shown["simulated"] = true;
  return shown;
}

/// Of one target, with plain numbers: seed 000 prints events so.
json sms_data(const text_message& m, std::size_t n) {
  const auto& one = m.targets[n];
  return {{"id", m.id},
          {"message_id", m.id},
          {"target_id", target_id(m, n)},
          {"customer_id", m.customer_id},
          {"direction", sdk::text(m.direction)},
          {"source", m.source},
          {"destination", one.number},
          {"segments", m.segments},
          {"status", sdk::text(one.status)},
          {"reason", one.reason},
          {"tm_create", sdk::shown(m.created)},
          {"simulated", m.simulated}};
}

// -- a target's status ------------------------------------------------------------------------------------------------

std::string timer_of(const char* kind, std::size_t n) { return std::string{kind} + ":" + std::to_string(n); }

void announce(const text_message& m, std::size_t n, bool first_sent, result& out) {
  switch (m.targets[n].status) {
  case target_status::queued:
  case target_status::received:
    break;
  case target_status::sent:
    out.event("sms.sent", sms_data(m, n));
    break;
  case target_status::delivered:
    if (first_sent) // the report overtook the answer
      out.event("sms.sent", sms_data(m, n));
    out.event("sms.delivered", sms_data(m, n));
    break;
  case target_status::failed:
  case target_status::gw_timeout:
    out.event("sms.failed", sms_data(m, n));
    break;
  case target_status::dlr_timeout:
    out.event("message.updated", view(m));
    break;
  }
}

/// The only place where a status changes: tells the world and arms what leads out of it. False, and nothing happens, if
/// the table forbids it.
bool enter(text_message& m, std::size_t n, target_status next, std::string reason, const context& ctx, result& out) {
  auto& one = m.targets[n];
  if (!may_change(one.status, next))
    return false;
  const auto last = std::exchange(one.status, next);
  one.reason = std::move(reason);
  one.updated = m.updated = ctx.now();
  out.cancel(timer_of("gateway", n)).cancel(timer_of("retry", n)).cancel(timer_of("report", n));
  announce(m, n, last == target_status::queued || last == target_status::gw_timeout, out);
  if (next == target_status::sent)
    out.cancel("forget").arm(timer_of("report", n), ctx.setting("report_timeout_ms", report_timeout_default));
  if (std::all_of(m.targets.begin(), m.targets.end(), [](const target& t) { return is_over(t.status); }))
    out.arm("forget", ctx.setting("keep_ms", keep_default));
  return true;
}

void submit(text_message& m, std::size_t n, const context& ctx, result& out) {
  auto& one = m.targets[n];
  ++one.attempts;
  one.updated = m.updated = ctx.now();
  out.send({"sms_gateway", target_id(m, n)}, "submit",
           {{"customer_id", m.customer_id},
            {"message_id", m.id},
            {"source", m.source},
            {"destination", one.number},
            {"text", m.text},
            {"encoding", sdk::text(m.encoding)},
            {"segments", m.segments},
            {"attempt", one.attempts}});
  out.arm(timer_of("gateway", n), ctx.setting("gateway_timeout_ms", gateway_timeout_default));
}

// -- requests ---------------------------------------------------------------------------------------------------------

std::string read_source(body_reader& in) {
  const auto* given = in.find("source");
  if (!given)
    return in.complain_of("source", "is missing"), std::string{};
  auto source = sdk::read_address(in, "source", *given).target;
  if (!is_sender(source))
    in.complain_of("source", "must be a number in E.164 form, a short code or a name of at most 11 characters");
  return source;
}

void read_text(body_reader& in, text_message& m) {
  const auto* given = in.find("text");
  const auto* value = given ? given->get_ptr<const std::string*>() : nullptr;
  if (!value || value->empty() || value->size() > text_bytes)
    return in.complain_of("text", "must be a text of at most 10 segments");
  const auto parts = cut(*value);
  if (!parts || parts->segments > segments_max)
    return in.complain_of("text", parts ? "must be a text of at most 10 segments" : "must be UTF-8");
  m.text = *value;
  m.encoding = parts->encoding;
  m.segments = parts->segments;
}

/// One number twice is one target.
void add_target(body_reader& in, const std::string& name, const json& given, text_message& m) {
  const auto to = sdk::read_address(in, name, given);
  if (to.type != "tel" || !is_e164(to.target))
    return in.complain_of(name, "must be a telephone number in E.164 form, such as +15551234567");
  if (std::none_of(m.targets.begin(), m.targets.end(), [&](const target& t) { return t.number == to.target; }))
    m.targets.push_back({to.target});
}

void read_targets(body_reader& in, text_message& m) {
  if (const auto* one = in.find("destination"))
    return add_target(in, "destination", *one, m);
  const auto* list = in.find("destinations");
  if (!list || !list->is_array() || list->empty() || list->size() > targets_max)
    return in.complain_of("destinations", "must be a list of 1 to 50 addresses");
  for (std::size_t n = 0; n < list->size(); ++n)
    add_target(in, "destinations[" + std::to_string(n) + "]", (*list)[n], m);
}

/// A new message of which everything but times is known.
result begin(text_message m, const context& ctx) {
  result out;
  m.id = ctx.id();
  m.created = m.updated = ctx.now();
  out.event("message.created", view(m));
  for (std::size_t n = 0; n < m.targets.size(); ++n) {
    if (m.direction == message_direction::outbound) {
      submit(m, n, ctx, out);
    } else {
      m.targets[n].status = target_status::received;
      m.targets[n].updated = ctx.now();
      out.event("sms.received", sms_data(m, n));
    }
  }
  if (m.direction == message_direction::inbound)
    out.arm("forget", ctx.setting("keep_ms", keep_default));
  out.next(std::move(m));
  return out;
}

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  text_message m;
  m.customer_id = sdk::read_customer(in, msg);
  const auto way = sdk::from_text<message_direction>(in.text("direction", "outbound"));
  if (!way)
    in.complain("direction must be outbound or inbound");
  m.direction = way.value_or(message_direction::outbound);
  m.source = read_source(in);
  read_targets(in, m);
  read_text(in, m);
  if (ctx.id().size() > id_bytes)
    in.complain_of("id", "must have at most 120 characters");
  if (in.wrong())
    return sdk::refused<text_message>(*in.wrong());
  auto out = begin(std::move(m), ctx);
  out.reply(200, view(*out.next_state()));
  return out;
}

result show(text_message m, const message&, const context&) {
  result out;
  out.reply(200, view(m));
  return out;
}

/// What the gateway has it keeps; attempts that still wait are not made.
result remove(text_message m, const message&, const context&) {
  result out;
  out.event("message.deleted", view(m)).reply(200, view(m)).end();
  return out;
}

// -- the gateway reports ----------------------------------------------------------------------------------------------

/// The target that the sender carries; none if there is no such.
std::optional<std::size_t> target_of(const text_message& m, const std::string& gateway_id) {
  for (std::size_t n = 0; n < m.targets.size(); ++n)
    if (target_id(m, n) == gateway_id)
      return n;
  return std::nullopt;
}

result report(text_message m, const message& msg, target_status next, std::string reason, const context& ctx) {
  result out;
  const auto n = target_of(m, msg.from_id);
  if (!n)
    return out;
  m.simulated = m.simulated || body_reader{msg}.flag("simulated", false);
  if (enter(m, *n, next, std::move(reason), ctx, out))
    out.next(std::move(m));
  return out;
}

result submitted(text_message m, const message& msg, const context& ctx) {
  return report(std::move(m), msg, target_status::sent, {}, ctx);
}

result delivery_report(text_message m, const message& msg, const context& ctx) {
  body_reader in{msg};
  const bool good = in.flag("delivered", false);
  return report(std::move(m), msg, good ? target_status::delivered : target_status::failed, in.text("reason"), ctx);
}

/// For now: again after a while, unless it was tried often enough. For good: at once the end.
result refused_by_gateway(text_message m, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto n = target_of(m, msg.from_id);
  const bool waits = n && m.targets[*n].status == target_status::queued;
  const auto wait = waits && in.flag("transient", false) ? retry_wait(m.targets[*n].attempts) : std::nullopt;
  if (!wait)
    return report(std::move(m), msg, target_status::failed, in.text("reason", "refused"), ctx);
  result out;
  m.targets[*n].reason = in.text("reason");
  m.targets[*n].updated = m.updated = ctx.now();
  out.cancel(timer_of("gateway", *n)).arm(timer_of("retry", *n), *wait, {{"attempts", m.targets[*n].attempts}});
  out.next(std::move(m));
  return out;
}

result received(const message& msg, const context& ctx) {
  body_reader in{msg};
  text_message m;
  m.direction = message_direction::inbound;
  m.customer_id = in.identity("customer_id");
  m.source = in.text("source");
  m.simulated = in.flag("simulated", false);
  m.targets.push_back({in.text("destination")});
  read_text(in, m);
  if (in.wrong())
    throw sdk::permanent_error("the gateway's message can't be read: " + in.wrong()->what);
  return begin(std::move(m), ctx);
}
result received_again(text_message, const message&, const context&) { return {}; }

// -- timers -----------------------------------------------------------------------------------------------------------

/// The number behind the colon; none if this message has no such target.
std::optional<std::size_t> target_of_timer(const text_message& m, const std::string& name) {
  for (std::size_t n = 0; n < m.targets.size(); ++n)
    if (name.substr(name.find(':') + 1) == std::to_string(n))
      return n;
  return std::nullopt;
}

result time_is_up(text_message m, const message& msg, target_status in_status, target_status next, const context& ctx) {
  result out;
  const auto n = target_of_timer(m, msg.name);
  if (!n || m.targets[*n].status != in_status || !enter(m, *n, next, std::string{sdk::text(next)}, ctx, out))
    return out;
  out.next(std::move(m));
  return out;
}
result no_answer(text_message m, const message& msg, const context& ctx) {
  return time_is_up(std::move(m), msg, target_status::queued, target_status::gw_timeout, ctx);
}
result no_report(text_message m, const message& msg, const context& ctx) {
  return time_is_up(std::move(m), msg, target_status::sent, target_status::dlr_timeout, ctx);
}

result try_again(text_message m, const message& msg, const context& ctx) {
  result out;
  const auto n = target_of_timer(m, msg.name);
  if (!n || m.targets[*n].status != target_status::queued ||
      body_reader{msg}.integer("attempts", 0, 0, 100) != m.targets[*n].attempts)
    return out;
  submit(m, *n, ctx, out);
  out.next(std::move(m));
  return out;
}

result forget(text_message m, const message&, const context&) {
  result out;
  if (std::all_of(m.targets.begin(), m.targets.end(), [](const target& t) { return is_over(t.status); }))
    out.end();
  return out;
}

} // namespace

const sdk::entity_type<text_message>& message_type() {
  using namespace sdk;
  using m = text_message;
  static const entity_type<m> made{"message",
                                   "message",
                                   1,
                                   view,
                                   {
                                       creates<m>("POST", "/v1/messages", create),
                                       lists<m>("GET", "/v1/messages"),
                                       answers<m>("GET", "/v1/messages/{id}", show),
                                       answers<m>("DELETE", "/v1/messages/{id}", remove),
                                       told<m>("submitted", submitted),
                                       told<m>("refused", refused_by_gateway),
                                       told<m>("delivery_report", delivery_report),
                                       told<m>("received", received_again, received),
                                       timer<m>("gateway", no_answer),
                                       timer<m>("retry", try_again),
                                       timer<m>("report", no_report),
                                       timer<m>("forget", forget),
                                   }};
  return made;
}

} // namespace switchboard::telephony
