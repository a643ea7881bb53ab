#include "node/cli_print.hpp"

#include <gtest/gtest.h>

namespace switchboard::node {
namespace {

TEST(cli_print, an_event_is_one_readable_line) {
  const auto frame = json::parse(R"({"event":"call.answered","topic":"customer_id:1:call:7","event_id":"e",
    "event_type":"call.answered","timestamp":"2026-01-20T12:00:01.123Z","customer_id":"1","resource_type":"call",
    "resource_id":"7","data":{"id":"7","customer_id":"1","status":"progressing","source":{"type":"tel","target":"+1555"},
    "ring_ms":1200,"note":"two words","empty":"","gone":null,"held":false,"list":[1],"tm_create":"2026"}})");
  EXPECT_EQ(event_line(frame),
            R"(12:00:01.123 call.answered call=7 status=progressing source=+1555 note="two words" ring_ms=1200)");
}

TEST(cli_print, a_frame_without_its_fields_still_prints) {
  EXPECT_EQ(event_line(json::parse(R"({"event":"call.created"})")), "--:--:--.--- call.created");
  EXPECT_EQ(event_line(json::parse(R"({"event":7,"timestamp":[],"data":3})")), "--:--:--.--- ");
}

TEST(cli_print, an_object_becomes_rows_in_a_fixed_order) {
  EXPECT_EQ(to_people(json::parse(
                R"({"z":1,"status":"ringing","id":"7","flag":true,"none":null,"address":{"target":"+1"}})")),
            "id       7\nstatus   ringing\naddress  +1\nflag     true\nz        1\n");
}

TEST(cli_print, a_list_becomes_a_table) {
  const auto list = json::parse(R"([{"id":"1","name":"Änne","status":"away"},{"id":"22","name":"Bo"}])");
  EXPECT_EQ(to_people(list), "id  name  status\n1   Änne  away\n22  Bo    -\n");
  EXPECT_EQ(to_people({{"result", list}, {"next_page_token", "t"}}),
            "id  name  status\n1   Änne  away\n22  Bo    -\nnext_page_token  t\n");
  EXPECT_EQ(to_people(json::array()), "none\n");
  EXPECT_EQ(to_people({{"result", json::array()}}), "none\n");
  EXPECT_EQ(to_people({{"actors", list}, {"total", 2}}), "id  name  status\n1   Änne  away\n22  Bo    -\ntotal  2\n");
  EXPECT_EQ(to_people({{"id", "7"}, {"participants", list}}).substr(0, 16), "id            7\n")
      << "one thing with a list";
  EXPECT_EQ(to_people({{"id", "7"}, {"agents", {{{"agent_id", "ann"}}, {{"agent_id", "bo"}}}}}),
            "id      7\nagents  ann,bo\n");
  EXPECT_EQ(to_people(nullptr), "done\n");
}

TEST(cli_print, a_history_is_a_line_for_each_decision_and_what_changed) {
  const auto page = json::parse(R"({"id":"c","history":[
    {"number":1,"at":"2026-01-20T12:00:00.000Z","message":{"kind":"request","name":"POST","route":"/v1/calls"},
     "outcome":{"reply":{"status":200},"events":["call.created"],"sends":[]},
     "difference":[{"op":"replace","path":"","value":{"status":"dialing"}}],"replay":"verified"},
    {"number":2,"at":"2026-01-20T12:00:01.500Z","message":{"kind":"message","name":"ringing"},
     "outcome":{"events":[]},"difference":[{"op":"replace","path":"/status","value":"ri\u001bnging"},
     {"op":"remove","path":"/x"}],"replay":"diverged","reason":"other code"},
    {"number":3,"at":"2026-01-20T12:00:02.000Z","message":null,"outcome":null,"difference":[],"replay":"verified"}],
    "next":"17"})");
  EXPECT_EQ(history_lines(page), "1 12:00:00.000 request POST /v1/calls -> 200 -> call.created\n"
                                 "    {\"status\":\"dialing\"}\n"
                                 "2 12:00:01.500 message ringing\n"
                                 "    /status=ri?nging, /x remove\n"
                                 "    diverged: other code\n"
                                 "3 12:00:02.000 downgrade\n"
                                 "more: --after 17\n");
}

TEST(cli_print, plugins_are_a_line_for_each_version_and_type) {
  const auto body = json::parse(R"({"plugins":[
    {"plugin":"call","version":"1.0.0","file":"/opt/plugins/call.so","serves":true,"rolled_back":"2.0.0: 9 of 10 failed",
     "types":[{"type":"call","state_version":1,"live":3,"decided":10,"failed":2}]},
    {"plugin":"call","version":"2.0.0","serves":false,
     "types":[{"type":"call","state_version":2,"live":0,"decided":0,"failed":0}]}],
    "not_moved":[{"id":"c-1","reason":"odd"}]})");
  EXPECT_EQ(plugin_lines(body), "name        status  type  decided  failed  file     live  state_version\n"
                                "call 1.0.0  serves  call  10       2       call.so  3     1\n"
                                "call 2.0.0  idle    call  0        0       -        0     2\n"
                                "rolled back: call 2.0.0: 9 of 10 failed\n"
                                "not moved:\n"
                                "id   reason\n"
                                "c-1  odd\n");
}

TEST(cli_print, dead_letters_are_a_table_that_says_how_many_it_leaves_out) {
  auto page = json::parse(R"({"queues":[{"vhost":"/","queue":"work.dead","messages":3}],"dead_letters":[
    {"id":"7","vhost":"/","queue":"work.dead","of":"work","reason":"rejected","exchange":"","routing_key":"work",
     "first_error":"x","last_error":null,"trace_id":null,"message_id":"m-1","bytes":2,"attempts":4,
     "died":"2026-01-20T12:00:01.000Z"}]})");
  EXPECT_EQ(dead_letter_lines(page), "id  queue      attempts  reason    died                      message_id\n"
                                     "7   work.dead  4         rejected  2026-01-20T12:00:01.000Z  m-1\n"
                                     "shown: 1 of 3\n");
  page["dead_letters"][0]["last_error"] = std::string(100, 'e');
  EXPECT_NE(dead_letter_lines(page).find(" " + std::string(60, 'e') + "... "), std::string::npos);
  EXPECT_EQ(dead_letter_lines({{"queues", json::array()}, {"dead_letters", json::array()}}), "none\n");
}

TEST(cli_print, names_from_outside_cannot_steer_the_terminal) {
  const auto text = to_people({{"name", "a\x1b[2Jb\nc"}});
  EXPECT_EQ(text, "name  a?[2Jb?c\n");
  EXPECT_EQ(event_line({{"event", "x\x07.y"}}).find('\x07'), std::string::npos);
}

TEST(cli_print, an_error_says_status_reason_and_message) {
  const auto body = json::parse(R"({"error":{"status":404,"reason":"NOT_FOUND","message":"no such call"}})");
  EXPECT_EQ(error_line(404, body), "404 NOT_FOUND: no such call");
  EXPECT_EQ(error_line(502, "<html>"), "502");
  EXPECT_EQ(error_line(500, {{"error", "text"}}), "500");
}

} // namespace
} // namespace switchboard::node
