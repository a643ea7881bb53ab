// The map of this file: state and view, the steps from status to status, requests, the call or conference, the engine,
// timers.
#include "actors/transcribe/transcribe.hpp"

#include <utility>

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(transcript, id, direction, text, start_ms, heard)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(transcribe, id, customer_id, status, kind, reference_id, language, direction,
                                   engine_asked, delete_when_over, simulated, transcripts, transcript_count, reason,
                                   created, started, ended, updated)

namespace {

using result = sdk::outcome<transcribe>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds start_timeout_default = std::chrono::seconds{10};
constexpr milliseconds wait_default = std::chrono::minutes{10}; // for a call that still rings
constexpr milliseconds stop_timeout_default = std::chrono::seconds{10};
constexpr milliseconds max_duration_default = std::chrono::hours{4};
constexpr milliseconds keep_default = std::chrono::hours{24};
constexpr std::size_t transcripts_max = 100;

json view_of(const transcribe& t, const transcript& one) {
  return {{"id", one.id},
          {"transcribe_id", t.id},
          {"customer_id", t.customer_id},
          {"reference_type", sdk::text(t.kind)},
          {"reference_id", t.reference_id},
          {"language", t.language},
          {"direction", sdk::text(one.direction)},
          {"message", one.text},
          {"start_ms", one.start_ms},
          {"tm_transcript", sdk::shown(one.heard)},
          {"simulated", t.simulated}};
}

json view(const transcribe& t) {
  json shown{{"id", t.id},
             {"customer_id", t.customer_id},
             {"status", sdk::text(t.status)},
             {"reference_type", sdk::text(t.kind)},
             {"reference_id", t.reference_id},
             {"language", t.language},
             {"direction", sdk::text(t.direction)},
             {"transcript_count", t.transcript_count},
             {"reason", t.reason},
             {"tm_create", sdk::shown(t.created)},
             {"tm_start", sdk::shown(t.started)},
             {"tm_end", sdk::shown(t.ended)},
             {"tm_update", sdk::shown(t.updated)}};
  if (t.simulated)
    shown["simulated"] = true;
  return shown;
}

// -- from status to status --------------------------------------------------------------------------------------------

sdk::entity_ref engine_of(const transcribe& t) { return {"transcriber", t.id}; }
sdk::entity_ref reference_of(const transcribe& t) { return {std::string{sdk::text(t.kind)}, t.reference_id}; }

/// The only place where the status changes. False, and nothing happens, if it may not.
bool enter(transcribe& t, transcribe_status next, const context& ctx, result& out) {
  if (!may_change(t.status, next))
    return false;
  t.status = next;
  t.updated = ctx.now();
  for (const char* timer : {"start", "wait", "max_duration", "stop"})
    out.cancel(timer);
  return true;
}

void start_engine(transcribe& t, const context& ctx, result& out) {
  if (t.status != transcribe_status::starting || std::exchange(t.engine_asked, true))
    return;
  t.updated = ctx.now();
  out.send(engine_of(t), "start",
           {{"customer_id", t.customer_id},
            {"reference_type", sdk::text(t.kind)},
            {"reference_id", t.reference_id},
            {"language", t.language},
            {"direction", sdk::text(t.direction)}});
  out.cancel("wait").arm("start", ctx.setting("start_ms", start_timeout_default));
}

void finish(transcribe& t, std::string reason, const context& ctx, result& out) {
  if (!enter(t, transcribe_status::done, ctx, out))
    return;
  if (t.reason.empty())
    t.reason = std::move(reason);
  t.ended = ctx.now();
  out.send(reference_of(t), "unfollow").event("transcribe.completed", view(t));
  if (t.delete_when_over)
    out.event("transcribe.deleted", view(t)).end();
  else
    out.arm("forget", ctx.setting("keep_ms", keep_default));
}

/// Lets the engine say what it still has. One that was never asked has nothing.
void stop(transcribe& t, std::string reason, const context& ctx, result& out) {
  if (!t.engine_asked)
    return finish(t, std::move(reason), ctx, out);
  if (!enter(t, transcribe_status::stopping, ctx, out))
    return;
  t.reason = std::move(reason);
  out.send(engine_of(t), "stop").arm("stop", ctx.setting("stop_ms", stop_timeout_default));
}

// -- requests ---------------------------------------------------------------------------------------------------------

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  transcribe t;
  t.id = ctx.id();
  t.customer_id = sdk::read_customer(in, msg);
  const auto kind = sdk::from_text<reference_type>(in.text("reference_type", "call"));
  if (!kind)
    in.complain("reference_type must be call or conference");
  t.kind = kind.value_or(reference_type::call);
  t.reference_id = in.identity("reference_id");
  t.language = in.text("language", "en-US");
  if (!is_language(t.language))
    in.complain_of("language", "must be a language such as en-US");
  const auto direction = sdk::from_text<speech_direction>(in.text("direction", "both"));
  if (!direction)
    in.complain("direction must be both, in or out");
  if (in.wrong())
    return sdk::refused<transcribe>(*in.wrong());
  t.direction = *direction;
  t.created = t.updated = ctx.now();
  result out;
  out.event("transcribe.created", view(t)).reply(200, view(t));
  out.send(reference_of(t), "follow", {{"customer_id", t.customer_id}});
  out.arm("start", ctx.setting("start_ms", start_timeout_default)).next(std::move(t));
  return out;
}

result show(transcribe t, const message&, const context&) {
  result out;
  out.reply(200, view(t));
  return out;
}

result show_transcripts(transcribe t, const message&, const context&) {
  json pieces = json::array();
  for (const auto& one : t.transcripts)
    pieces.push_back(view_of(t, one));
  result out;
  out.reply(200, {{"result", std::move(pieces)}, {"transcript_count", t.transcript_count}});
  return out;
}

result stop_by_hand(transcribe t, const message&, const context& ctx) {
  result out;
  stop(t, "stopped", ctx, out);
  out.reply(200, view(t)).next(std::move(t));
  return out;
}

/// One that goes on is stopped first and goes once it is over.
result remove(transcribe t, const message&, const context& ctx) {
  result out;
  t.delete_when_over = true;
  if (t.status == transcribe_status::done)
    out.event("transcribe.deleted", view(t)).end();
  else
    stop(t, "deleted", ctx, out);
  out.reply(200, view(t)).next(std::move(t));
  return out;
}

// -- the call or conference -------------------------------------------------------------------------------------------

bool is_reference(const transcribe& t, const message& msg) { return msg.sender() == reference_of(t); }

/// A call that still rings has nothing to say.
result followed(transcribe t, const message& msg, const context& ctx) {
  result out;
  if (!is_reference(t, msg) || t.status != transcribe_status::starting || t.engine_asked)
    return out;
  if (t.kind == reference_type::call && body_reader{msg}.text("status") != "progressing")
    out.cancel("start").arm("wait", ctx.setting("wait_ms", wait_default));
  else
    start_engine(t, ctx, out);
  out.next(std::move(t));
  return out;
}

result answered(transcribe t, const message& msg, const context& ctx) {
  result out;
  if (!is_reference(t, msg))
    return out;
  start_engine(t, ctx, out);
  out.next(std::move(t));
  return out;
}

result refused_by_reference(transcribe t, const message& msg, const context& ctx) {
  result out;
  if (!is_reference(t, msg))
    return out;
  stop(t, body_reader{msg}.text("reason", "refused"), ctx, out);
  out.next(std::move(t));
  return out;
}

result reference_ended(transcribe t, const message& msg, const context& ctx) {
  result out;
  if (!is_reference(t, msg))
    return out;
  stop(t, msg.from_type + "_ended", ctx, out);
  out.next(std::move(t));
  return out;
}

// -- the engine -------------------------------------------------------------------------------------------------------

bool is_engine(const message& msg, const context& ctx) {
  return msg.from_type == "transcriber" && msg.from_id == ctx.id();
}

/// An engine that listens though nobody wants it to.
result stop_engine(const message& msg) {
  result out;
  out.send(msg.sender(), "stop");
  return out;
}
result nobody_listens(const message& msg, const context&) { return stop_engine(msg); }

result engine_started(transcribe t, const message& msg, const context& ctx) {
  result out;
  if (!is_engine(msg, ctx))
    return out;
  if (t.status == transcribe_status::done)
    return stop_engine(msg);
  if (t.status != transcribe_status::starting || !enter(t, transcribe_status::progressing, ctx, out))
    return out;
  t.engine_asked = true; // if not by us: it listens, so it has to be stopped
  t.started = ctx.now();
  t.simulated = body_reader{msg}.flag("simulated", false);
  out.event("transcribe.started", view(t)).arm("max_duration", ctx.setting("max_duration_ms", max_duration_default));
  out.next(std::move(t));
  return out;
}

result speech(transcribe t, const message& msg, const context& ctx) {
  body_reader in{msg};
  result out;
  if (!is_engine(msg, ctx))
    return out;
  if (t.status == transcribe_status::done)
    return stop_engine(msg);
  transcript one;
  one.id = ctx.make_uuid();
  one.direction = sdk::from_text<speech_direction>(in.text("direction")).value_or(speech_direction::both);
  one.text = in.text("text");
  one.start_ms = in.integer("start_ms", 0, 0, INT64_MAX);
  one.heard = t.updated = ctx.now();
  const bool wanted = t.direction == speech_direction::both || one.direction == t.direction;
  if (in.wrong() || one.text.empty() || !wanted)
    return out;
  ++t.transcript_count;
  if (t.transcripts.size() >= transcripts_max)
    t.transcripts.erase(t.transcripts.begin());
  t.transcripts.push_back(one);
  out.event("transcript.created", view_of(t, one)).next(std::move(t));
  return out;
}

result engine_stopped(transcribe t, const message& msg, const context& ctx) {
  result out;
  if (!is_engine(msg, ctx))
    return out;
  finish(t, body_reader{msg}.text("reason", "engine_stopped"), ctx, out);
  out.next(std::move(t));
  return out;
}

// -- timers -----------------------------------------------------------------------------------------------------------

/// The call or conference did not answer, or the engine did not: an engine that is slow must not listen for nobody.
result not_started(transcribe t, const message&, const context& ctx) {
  result out;
  if (t.status != transcribe_status::starting)
    return out;
  if (t.engine_asked)
    out.send(engine_of(t), "stop");
  finish(t, t.engine_asked ? "engine_timeout" : "not_found", ctx, out);
  out.next(std::move(t));
  return out;
}

result waited_in_vain(transcribe t, const message&, const context& ctx) {
  result out;
  if (t.status != transcribe_status::starting || t.engine_asked)
    return out;
  finish(t, "not_answered", ctx, out);
  out.next(std::move(t));
  return out;
}

result long_enough(transcribe t, const message&, const context& ctx) {
  result out;
  if (t.status == transcribe_status::progressing)
    stop(t, "max_duration", ctx, out);
  out.next(std::move(t));
  return out;
}

result not_stopped(transcribe t, const message&, const context& ctx) {
  result out;
  if (t.status == transcribe_status::stopping)
    finish(t, "engine_timeout", ctx, out);
  out.next(std::move(t));
  return out;
}

result forget(transcribe t, const message&, const context&) {
  result out;
  if (t.status == transcribe_status::done)
    out.end();
  return out;
}

} // namespace

const sdk::entity_type<transcribe>& transcribe_type() {
  using namespace sdk;
  using t = transcribe;
  static const entity_type<t> made{"transcribe",
                                   "transcribe",
                                   1,
                                   view,
                                   {
                                       creates<t>("POST", "/v1/transcribes", create),
                                       lists<t>("GET", "/v1/transcribes"),
                                       answers<t>("GET", "/v1/transcribes/{id}", show),
                                       answers<t>("DELETE", "/v1/transcribes/{id}", remove),
                                       answers<t>("POST", "/v1/transcribes/{id}/stop", stop_by_hand),
                                       answers<t>("GET", "/v1/transcribes/{id}/transcripts", show_transcripts),
                                       told<t>("call_followed", followed),
                                       told<t>("conference_followed", followed),
                                       told<t>("call_refused", refused_by_reference),
                                       told<t>("conference_refused", refused_by_reference),
                                       told<t>("call_answered", answered),
                                       told<t>("call_ended", reference_ended),
                                       told<t>("conference_ended", reference_ended),
                                       told<t>("started", engine_started, nobody_listens),
                                       told<t>("speech", speech, nobody_listens),
                                       told<t>("stopped", engine_stopped),
                                       timer<t>("start", not_started),
                                       timer<t>("wait", waited_in_vain),
                                       timer<t>("max_duration", long_enough),
                                       timer<t>("stop", not_stopped),
                                       timer<t>("forget", forget),
                                   }};
  return made;
}

} // namespace switchboard::telephony
