#include "actors/loopback_transcriber/loopback_transcriber.hpp"

#include <array>
#include <utility>

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(listening, customer_id, direction, pieces, since, transcription)

namespace {

using result = sdk::outcome<listening>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds piece_default = std::chrono::seconds{2};
constexpr std::int64_t pieces_max = 10'000; // it would go on for ever if nobody stopped it

json view(const listening& l) {
  return {{"customer_id", l.customer_id}, {"direction", l.direction}, {"pieces", l.pieces}, {"simulated", true}};
}

/// The two sides take turns.
std::string_view line(std::int64_t piece) {
  constexpr std::array<std::string_view, 6> lines{
      "Hello, how can I help you?", "Hello, I have a question about my bill.", "May I have your customer number?",
      "It is four two four two.",   "Thank you. One moment, please.",          "Thank you very much."};
  return lines[static_cast<std::size_t>(piece) % lines.size()];
}

result start(const message& msg, const context& ctx) {
  body_reader in{msg};
  listening l;
  l.customer_id = in.text("customer_id");
  l.direction = in.text("direction", "both");
  l.since = ctx.now();
  l.transcription = msg.sender();
  result out;
  out.send(l.transcription, "started", {{"simulated", true}});
  out.arm("piece", ctx.setting("piece_ms", piece_default)).next(std::move(l));
  return out;
}
result start_again(listening, const message&, const context&) { return {}; } // a repeat

result say(listening l, const message&, const context& ctx) {
  const auto* side = l.pieces % 2 == 0 ? "out" : "in";
  result out;
  if (l.direction == "both" || l.direction == side)
    out.send(l.transcription, "speech",
             {{"direction", side},
              {"text", line(l.pieces)},
              {"start_ms", (ctx.now() - l.since).count()},
              {"simulated", true}});
  if (++l.pieces >= pieces_max)
    out.send(l.transcription, "stopped", {{"reason", "silence"}, {"simulated", true}}).end();
  else
    out.arm("piece", ctx.setting("piece_ms", piece_default)).next(std::move(l));
  return out;
}

result stop(listening l, const message&, const context&) {
  result out;
  out.send(l.transcription, "stopped", {{"reason", "stopped"}, {"simulated", true}}).end();
  return out;
}
/// Stopped already, or never started: either way nobody listens, which is what is wanted.
result stop_nothing(const message& msg, const context&) {
  result out;
  out.send(msg.sender(), "stopped", {{"reason", "stopped"}, {"simulated", true}});
  return out;
}

} // namespace

const sdk::entity_type<listening>& loopback_transcriber_type() {
  using namespace sdk;
  using l = listening;
  static const entity_type<l> made{"transcriber",
                                   nullptr,
                                   1,
                                   view,
                                   {
                                       told<l>("start", start_again, start),
                                       told<l>("stop", stop, stop_nothing),
                                       timer<l>("piece", say),
                                   }};
  return made;
}

} // namespace switchboard::telephony
