// Transcriptions of real calls and conferences, all actors together.
#include "tests/actors/scenario.hpp"

#include "actors/loopback_transcriber/loopback_transcriber.hpp"
#include "actors/transcribe/transcribe.hpp"

namespace switchboard::telephony {
namespace {

class transcribed_calls : public scenario {
protected:
  transcribed_calls() {
    world_.add(sdk::abi_of<&transcribe_type>());
    world_.add(sdk::abi_of<&loopback_transcriber_type>());
  }
  std::string listen_to(const char* kind, const std::string& id) {
    const auto made = post("/v1/transcribes", {{"reference_type", kind}, {"reference_id", id}}).value("id", "");
    world_.settle();
    return made;
  }
  json transcription(const std::string& id) { return world_.view("transcribe", id); }
};

TEST_F(transcribed_calls, a_call_is_written_down_from_its_answer_to_its_end) {
  const auto call = place_call("+15559870107");
  const auto id = listen_to("call", call);
  EXPECT_EQ(transcription(id)["status"], "starting") << "it rings";
  world_.advance(2s);
  EXPECT_EQ(transcription(id)["status"], "progressing");
  world_.advance(10s);
  EXPECT_EQ(transcription(id)["status"], "done");
  EXPECT_EQ(transcription(id)["reason"], "call_ended");
  EXPECT_EQ(transcription(id)["transcript_count"], 3);
  EXPECT_EQ(transcription(listen_to("call", call))["reason"], "call_is_over");
}

TEST_F(transcribed_calls, another_tenants_call_and_one_that_is_not_there_are_refused_alike) {
  const auto call = place_call(stays);
  world_.advance(2s);
  const auto foreign = world_.request("POST", "/v1/transcribes", {{"reference_id", call}}, "another").body["id"];
  world_.settle();
  EXPECT_EQ(transcription(foreign)["reason"], "not_found");
  EXPECT_EQ(transcription(listen_to("call", "nowhere"))["reason"], "not_found");
  EXPECT_EQ(transcription(listen_to("conference", "nowhere"))["reason"], "not_found");
  EXPECT_THAT(world_.event_types("transcript."), IsEmpty());
}

TEST_F(transcribed_calls, a_conference_is_written_down_to_its_end) {
  const auto room = post("/v1/conferences").value("id", "");
  const auto call = place_call(stays);
  world_.advance(2s);
  post("/v1/conferences/" + room + "/calls/" + call);
  const auto id = listen_to("conference", room);
  world_.advance(5s);
  EXPECT_EQ(transcription(id)["status"], "progressing");
  EXPECT_EQ(transcription(id)["transcript_count"], 2);
  post("/v1/conferences/" + room + "/stop");
  world_.advance(1s);
  EXPECT_EQ(transcription(id)["reason"], "conference_ended");
  EXPECT_THAT(world_.ids("transcriber"), IsEmpty());
}

TEST_F(transcribed_calls, one_that_was_stopped_hears_no_more_of_its_call) {
  const auto call = place_call(stays);
  world_.advance(2s);
  const auto id = listen_to("call", call);
  post("/v1/transcribes/" + id + "/stop");
  world_.settle();
  EXPECT_EQ(transcription(id)["reason"], "stopped");
  post("/v1/calls/" + call + "/hangup");
  world_.advance(1min);
  EXPECT_EQ(transcription(id)["reason"], "stopped");
}

} // namespace
} // namespace switchboard::telephony
