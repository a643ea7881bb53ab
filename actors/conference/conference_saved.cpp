// A conference as it is saved. What is empty is not written, but for the members of version 1, which had nothing else.
#include "actors/conference/conference.hpp"
#include "sdk/saved.hpp"

namespace switchboard::telephony {

using sdk::put;
using sdk::take;

void to_json(json& out, const participant& p) {
  out = {{"call_id", p.call_id}, {"status", p.status}, {"was_in", p.was_in}};
  put(out, "let_go", p.let_go);
  put(out, "held", p.held);
  put(out, "mute", p.mute);
  put(out, "visit", p.visit);
  put(out, "check", p.check);
  put(out, "misses", p.misses);
}
void from_json(const json& in, participant& p) {
  in.at("call_id").get_to(p.call_id);
  in.at("status").get_to(p.status);
  in.at("was_in").get_to(p.was_in);
  take(in, "let_go", p.let_go);
  take(in, "held", p.held);
  take(in, "mute", p.mute);
  take(in, "visit", p.visit);
  take(in, "check", p.check);
  take(in, "misses", p.misses);
}

void to_json(json& out, const conference& c) {
  out = {{"id", c.id},     {"customer_id", c.customer_id}, {"kind", c.kind},       {"status", c.status},
         {"name", c.name}, {"detail", c.detail},           {"owner", c.owner},     {"participants", c.participants},
         {"used", c.used}, {"created", c.created},         {"updated", c.updated}, {"ended", c.ended}};
  put(out, "delete_when_over", c.delete_when_over);
  put(out, "locked", c.locked);
  put(out, "recording_id", c.recording_id);
  put(out, "followers", c.followers);
  put(out, "invited", c.invited);
  put(out, "checks", c.checks);
  put(out, "complete", c.complete);
}
void from_json(const json& in, conference& c) {
  in.at("id").get_to(c.id);
  in.at("customer_id").get_to(c.customer_id);
  in.at("kind").get_to(c.kind);
  in.at("status").get_to(c.status);
  in.at("name").get_to(c.name);
  in.at("detail").get_to(c.detail);
  in.at("owner").get_to(c.owner);
  in.at("participants").get_to(c.participants);
  in.at("used").get_to(c.used);
  in.at("created").get_to(c.created);
  in.at("updated").get_to(c.updated);
  in.at("ended").get_to(c.ended);
  take(in, "delete_when_over", c.delete_when_over);
  take(in, "locked", c.locked);
  take(in, "recording_id", c.recording_id);
  take(in, "followers", c.followers);
  take(in, "invited", c.invited);
  take(in, "checks", c.checks);
  take(in, "complete", c.complete);
  if (c.used && nobody_is_coming(c))
    c.complete = true; // older states don't say
}

} // namespace switchboard::telephony
