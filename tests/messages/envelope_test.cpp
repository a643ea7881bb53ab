#include "messages/envelope.hpp"

#include <gtest/gtest.h>

#include "tests/golden/golden.hpp"
#include "tests/golden/mutate.hpp"

namespace switchboard {
namespace {

using golden::text;

const auto noon = *from_iso8601("2026-01-20T12:00:00Z");

template <class Decode>
void refuse_every_prefix(const std::string& whole, Decode decode) {
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto read = decode(std::string_view{whole}.substr(0, size));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code, errc::bad_format) << size;
  }
  EXPECT_TRUE(decode(whole));
}

template <class Decode>
void survive_mutation(const std::string& whole, Decode decode, unsigned seed) {
  std::mt19937 dice{seed};
  int readable = 0;
  for (int i = 0; i < 5000; ++i) {
    const auto read = decode(golden::mutate(whole, dice));
    if (!read)
      continue;
    ++readable;
    const auto again = decode(encode(*read));
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(encode(*again), encode(*read));
  }
  EXPECT_GT(readable, 20);
}

// --- JSON within limits

TEST(parse_json, counts_bytes_before_it_parses) {
  const auto of_size = [](std::size_t bytes) { return '"' + std::string(bytes - 2, 'x') + '"'; };
  EXPECT_TRUE(parse_json(of_size(envelope_bytes_max)));
  EXPECT_EQ(parse_json(of_size(envelope_bytes_max + 1)).error().code, errc::too_large);
}

TEST(parse_json, counts_depth_before_it_parses) {
  const auto nested = [](int levels) {
    const auto n = static_cast<std::size_t>(levels);
    return std::string(n, '[') + std::string(n, ']');
  };
  EXPECT_TRUE(parse_json(nested(envelope_depth_max)));
  EXPECT_EQ(parse_json(nested(envelope_depth_max + 1)).error().code, errc::too_large);
  EXPECT_EQ(parse_json(nested(500000)).error().code, errc::too_large);
  EXPECT_EQ(parse_json(std::string(1000000, '[')).error().code, errc::too_large);
  EXPECT_EQ(parse_json(std::string(1000, ']') + std::string(500, '[')).error().code, errc::bad_format);
}

TEST(parse_json, brackets_inside_strings_are_no_depth) {
  const auto brackets = std::string(200, '[');
  EXPECT_TRUE(parse_json('"' + brackets + '"'));
  EXPECT_TRUE(parse_json(R"(["\")" + brackets + R"("])"));
  EXPECT_TRUE(parse_json(R"({"a\\":")" + brackets + R"("})"));
}

TEST(parse_json, refuses_what_is_not_json) {
  for (const auto* wrong : {"", " ", "{", "{]", "nul", "{\"a\":}", "[1,]", "\"\xff\"", "\"\xc0\x80\"", "\"\\ud800\"",
                            "1e400", "NaN", "{} x", "\"a\nb\"", "'a'", "// c\n1"}) {
    const auto read = parse_json(wrong);
    ASSERT_FALSE(read) << wrong;
    EXPECT_EQ(read.error().code, errc::bad_format) << wrong;
  }
}

TEST(parse_json, of_two_equal_names_the_last_counts) { EXPECT_EQ((*parse_json(R"({"a":1,"a":2})"))["a"], 2); }

// --- requests

TEST(request, reads_the_documented_form) {
  const auto read = decode_request(text("request.text"));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->message_id, "0c1f6f6e-6c1e-4a53-9c6a-0d9a4f1f7d11");
  EXPECT_EQ(read->timestamp, noon);
  EXPECT_EQ(read->route, "/v1/calls");
  EXPECT_EQ(read->method, "POST");
  EXPECT_EQ(read->customer_id(), "customer-123");
  EXPECT_EQ(read->headers["agent_id"], "agent-456");
  EXPECT_EQ(read->body["source"]["target"], "+15551234567");
  EXPECT_EQ(read->dialect, dialect::documented);
}

TEST(request, writes_the_documented_form) {
  EXPECT_EQ(encode(*decode_request(text("request.text"))), text("request.text"));
}

TEST(request, reads_and_writes_the_form_of_voipbins_code) {
  const auto read = decode_request(text("request_voipbin.text"));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->dialect, dialect::voipbin);
  EXPECT_EQ(read->route, "/v1/calls?page_size=10");
  EXPECT_EQ(read->message_id, "r-1");
  EXPECT_EQ(read->customer_id(), "customer-123");
  EXPECT_EQ(encode(*read), text("request_voipbin.text"));
}

TEST(request, needs_only_a_route_and_a_method) {
  const auto read = decode_request(R"({"route":"/v1/calls","method":"GET"})");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_TRUE(read->message_id.empty());
  EXPECT_TRUE(read->headers.is_object());
  EXPECT_TRUE(read->body.is_null());
  EXPECT_EQ(read->customer_id(), "");
  const auto bare = decode_request(R"({"uri":"/v1/calls","method":"GET"})");
  ASSERT_TRUE(bare);
  EXPECT_EQ(encode(*bare),
            R"({"uri":"/v1/calls","method":"GET","publisher":"switchboard","data_type":"application/json"})");
}

TEST(request, the_customer_of_a_body_counts_only_in_voipbins_form) {
  EXPECT_EQ(decode_request(R"({"route":"/","method":"GET","body":{"customer_id":"1"}})")->customer_id(), "");
  EXPECT_EQ(decode_request(R"({"uri":"/","method":"GET","data":{"customer_id":"1"}})")->customer_id(), "1");
  EXPECT_EQ(decode_request(R"({"route":"/","method":"GET","headers":{"customer_id":1}})")->customer_id(), "");
}

TEST(request, says_which_field_is_wrong) {
  const std::pair<const char*, const char*> wrong[] = {
      {R"([])", "object"},
      {R"("text")", "object"},
      {R"({})", "route"},
      {R"({"route":"v1/calls","method":"GET"})", "route"},
      {R"({"route":"/v1/ca lls","method":"GET"})", "route"},
      {R"({"route":"/v1\u0000","method":"GET"})", "route"},
      {R"({"route":7,"method":"GET"})", "route"},
      {R"({"uri":"calls","method":"GET"})", "uri"},
      {R"({"route":"/v1/calls"})", "method"},
      {R"({"route":"/v1/calls","method":"get"})", "method"},
      {R"({"route":"/v1/calls","method":"PATCH"})", "method"},
      {R"({"route":"/v1/calls","method":"GET","message_id":7})", "message_id"},
      {R"({"route":"/v1/calls","method":"GET","timestamp":"now"})", "timestamp"},
      {R"({"route":"/v1/calls","method":"GET","timestamp":1700000000})", "timestamp"},
      {R"({"route":"/v1/calls","method":"GET","headers":[]})", "headers"}};
  for (const auto& [bytes, field] : wrong) {
    const auto read = decode_request(bytes);
    ASSERT_FALSE(read) << bytes;
    EXPECT_EQ(read.error().code, errc::bad_format) << bytes;
    EXPECT_NE(read.error().what.find(field), std::string::npos) << read.error().what;
  }
  const auto with_id = [](std::size_t size) {
    return R"({"route":"/","method":"GET","message_id":")" + std::string(size, 'm') + "\"}";
  };
  EXPECT_TRUE(decode_request(with_id(255)));
  EXPECT_FALSE(decode_request(with_id(256)));
  EXPECT_FALSE(decode_request(R"({"method":"GET","route":"/)" + std::string(5000, 'r') + "\"}"));
}

TEST(request, oversize_is_too_large_and_not_bad) {
  const auto body = std::string(envelope_bytes_max, 'b');
  EXPECT_EQ(decode_request(R"({"route":"/","method":"GET","body":")" + body + "\"}").error().code, errc::too_large);
}

TEST(request, cut_off_anywhere_is_refused) {
  refuse_every_prefix(text("request.text"), decode_request);
  refuse_every_prefix(text("request_voipbin.text"), decode_request);
}

TEST(request, survives_mutation) {
  survive_mutation(text("request.text"), decode_request, 1);
  survive_mutation(text("request_voipbin.text"), decode_request, 2);
}

// --- responses

TEST(response, reads_and_writes_the_documented_form) {
  const auto read = decode_response(text("response.text"));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->status_code, 200);
  EXPECT_EQ(read->timestamp, noon + milliseconds{1000});
  EXPECT_EQ(read->body["id"], "call-789");
  EXPECT_TRUE(read->error.is_null());
  EXPECT_EQ(encode(*read), text("response.text"));
}

TEST(response, reads_and_writes_voipbins_form) {
  const auto read = decode_response(text("response_voipbin.text"));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->dialect, dialect::voipbin);
  EXPECT_EQ(read->body["id"], "call-789");
  EXPECT_EQ(encode(*read), text("response_voipbin.text"));
}

TEST(response, reads_voipbins_refusals) {
  const auto refused = decode_response(R"({"status_code":404,"data_type":"voipbin_error","data":{"reason":"x"}})");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error["reason"], "x");
  EXPECT_TRUE(refused->body.is_null());
  const auto bare = decode_response(R"({"status_code":500})");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->dialect, dialect::voipbin);
  EXPECT_EQ(bare->status_code, 500);
}

TEST(response, refuses_a_status_that_is_none) {
  for (const auto* wrong :
       {R"({})", R"({"status_code":"200"})", R"({"status_code":99})", R"({"status_code":600})",
        R"({"status_code":200.5})", R"({"status_code":-1})", R"({"status_code":18446744073709551615})", R"([])"})
    EXPECT_EQ(decode_response(wrong).error().code, errc::bad_format) << wrong;
}

TEST(response, cut_off_anywhere_is_refused_and_mutation_survived) {
  refuse_every_prefix(text("response.text"), decode_response);
  refuse_every_prefix(text("response_voipbin.text"), decode_response);
  survive_mutation(text("response.text"), decode_response, 3);
}

// --- events

TEST(event, reads_and_writes_the_documented_form) {
  const auto read = decode_event(text("event.text"));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->event_type, "call.created");
  EXPECT_EQ(read->customer_id, "customer-123");
  EXPECT_EQ(read->resource_type, "call");
  EXPECT_EQ(read->resource_id, "call-789");
  EXPECT_EQ(read->data["status"], "ringing");
  EXPECT_EQ(encode(*read), text("event.text"));
}

TEST(event, reads_the_form_of_voipbins_code) {
  const auto read =
      decode_event(R"({"type":"agent_status_updated","publisher":"agent-manager","data_type":"application/json",)"
                   R"("data":{"id":"agent-456","customer_id":"customer-123","status":"away"}})");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->event_type, "agent.status_updated");
  EXPECT_EQ(read->resource_type, "agent");
  EXPECT_EQ(read->resource_id, "agent-456");
  EXPECT_EQ(read->customer_id, "customer-123");
  EXPECT_EQ(decode_event(R"({"type":"call.outbound_whitelist_rejected"})")->event_type,
            "call.outbound_whitelist_rejected");
  EXPECT_EQ(decode_event(R"({"type":"call_created","data":{"id":"a:b","customer_id":7}})")->resource_id, "");
}

TEST(event, refuses_ids_that_would_confuse_topics) {
  for (const auto* wrong :
       {R"({})", R"([])", R"({"event_type":""})", R"({"event_type":7})", R"({"event_type":"call created"})",
        R"({"type":null})", R"({"event_type":"call.created","customer_id":"1:call:*"})",
        R"({"event_type":"call.created","resource_type":"*"})", R"({"event_type":"call.created","resource_id":"a/b"})",
        R"({"event_type":"call.created","resource_id":7})", R"({"event_type":"call.created","timestamp":"x"})"})
    EXPECT_EQ(decode_event(wrong).error().code, errc::bad_format) << wrong;
}

TEST(event, cut_off_anywhere_is_refused_and_mutation_survived) {
  refuse_every_prefix(text("event.text"), decode_event);
  survive_mutation(text("event.text"), decode_event, 4);
}

// --- output and errors

TEST(encode, replaces_bad_utf8_instead_of_throwing) {
  event value;
  value.event_type = "call.created";
  value.data = {{"name", "caf\xe9"}};
  EXPECT_EQ((*decode_event(encode(value))).data["name"], "caf\xef\xbf\xbd");
}

TEST(error, has_the_status_people_know_from_http) {
  const std::pair<errc, int> statuses[] = {
      {errc::bad_format, 400},     {errc::too_large, 413},       {errc::not_found, 404},
      {errc::access_refused, 403}, {errc::resource_locked, 409}, {errc::precondition_failed, 409},
      {errc::wrong_state, 409},    {errc::not_implemented, 501}, {errc::unavailable, 503},
      {errc::timed_out, 504},      {errc::stopping, 503},        {errc::io_failed, 500},
      {errc::corrupt, 500},        {errc::internal, 500}};
  for (const auto& [code, status] : statuses)
    EXPECT_EQ(status_of(code), status) << switchboard::text(code);
}

TEST(error, answers_a_request_in_its_dialect) {
  const auto at = noon + milliseconds{1000};
  const error why{errc::not_found, "no call call-789"};
  const auto documented = make_error(*decode_request(text("request.text")), at, why, "call");
  EXPECT_EQ(encode(documented), text("response_error.text"));
  const auto voipbin = make_error(*decode_request(text("request_voipbin.text")), at, why, "call");
  EXPECT_EQ(encode(voipbin), R"({"status_code":404,"data_type":"voipbin_error","data":{"domain":"call",)"
                             R"("message":"no call call-789","reason":"not_found","status":"NOT_FOUND"}})");
  EXPECT_EQ(decode_response(encode(voipbin))->error, voipbin.error);
}

TEST(error, every_code_survives_the_wire) {
  for (auto code = errc::bad_format; code <= errc::internal; code = static_cast<errc>(static_cast<int>(code) + 1)) {
    const auto sent = make_error(request{}, noon, {code, ""}, "node");
    const auto read = decode_response(encode(sent));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->status_code, status_of(code));
    EXPECT_EQ(read->error["reason"], switchboard::text(code));
    EXPECT_EQ(read->error["message"], sentence(code)); // never an empty reason
    EXPECT_FALSE(read->error["status"].get<std::string>().empty());
  }
}

} // namespace
} // namespace switchboard
