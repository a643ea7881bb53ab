#include "actors/loopback_gateway/loopback_gateway.hpp"

#include <utility>

#include "actors/loopback_gateway/loopback_gateway_rules.hpp"

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(submission, customer_id, phase, source, destination, text, message)

namespace {

using result = sdk::outcome<submission>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds accept_default{100};
constexpr milliseconds report_default{1000};

json view(const submission& s) {
  return {{"customer_id", s.customer_id},
          {"status", sdk::text(s.phase)},
          {"source", s.source},
          {"destination", s.destination},
          {"simulated", true}};
}

/// Texts of messages are longer than body_reader's.
std::string read_text(const body_reader& in) {
  const auto* found = in.find("text");
  const auto* value = found ? found->get_ptr<const std::string*>() : nullptr;
  return value ? *value : std::string{};
}

result refuse(const message& msg, std::string_view reason, bool transient) {
  result out;
  out.send(msg.sender(), "refused", {{"reason", reason}, {"transient", transient}, {"simulated", true}});
  return out;
}

result submit(const message& msg, const context& ctx) {
  body_reader in{msg};
  submission s;
  s.customer_id = in.text("customer_id");
  s.source = in.text("source");
  s.destination = in.text("destination");
  s.text = read_text(in);
  s.message = msg.sender();
  const auto plays = phone_of(s.destination);
  if (plays.answer == phone_answer::refuses)
    return refuse(msg, "rejected", false);
  if (in.integer("attempt", 1, 0, 1000) <= plays.refusals)
    return refuse(msg, "throttled", true);
  result out;
  if (plays.answer != phone_answer::no_answer)
    out.arm("accept", ctx.setting("accept_ms", accept_default)).next(std::move(s));
  return out;
}

result as_before(submission, const message&, const context&) { return {}; } // a repeat

result accept(submission s, const message&, const context& ctx) {
  result out;
  if (s.phase != submission_phase::taken)
    return out;
  s.phase = submission_phase::answered;
  out.send(s.message, "submitted", {{"simulated", true}});
  if (phone_of(s.destination).answer == phone_answer::no_report)
    out.end();
  else
    out.arm("report", ctx.setting("report_ms", report_default)).next(std::move(s));
  return out;
}

/// The last word; it is forgotten at once.
result report(submission s, const message&, const context& ctx) {
  const auto plays = phone_of(s.destination).answer;
  const bool good = plays != phone_answer::fails;
  result out;
  out.send(s.message, "delivery_report",
           {{"delivered", good}, {"reason", good ? "" : "unreachable"}, {"simulated", true}});
  if (plays == phone_answer::replies)
    out.send({"message", ctx.make_uuid()}, "received",
             {{"customer_id", s.customer_id},
              {"source", s.destination},
              {"destination", s.source},
              {"text", s.text},
              {"simulated", true}});
  out.end();
  return out;
}

} // namespace

const sdk::entity_type<submission>& loopback_gateway_type() {
  using namespace sdk;
  using s = submission;
  static const entity_type<s> made{"sms_gateway",
                                   nullptr,
                                   1,
                                   view,
                                   {
                                       told<s>("submit", as_before, submit),
                                       timer<s>("accept", accept),
                                       timer<s>("report", report),
                                   }};
  return made;
}

} // namespace switchboard::telephony
