#!/usr/bin/perl
# Opens a WebSocket with Mojo::UserAgent, sends messages, prints what came back.
# SPDX-License-Identifier: Apache-2.0
#
#     websocket.pl URL AUTHORIZATION deflate|plain CERTIFICATE <MESSAGES
#
# As websocket.mjs beside it.
use strict;
use warnings;
use MIME::Base64;
use Mojo::IOLoop;
use Mojo::JSON qw(decode_json encode_json);
use Mojo::UserAgent;

my ($url, $authorization, $compression, $certificate) = @ARGV;
my $messages = decode_json(do { local $/; <STDIN> });
my @got;
my %headers;
$headers{Authorization} = $authorization if $authorization;
$headers{'Sec-WebSocket-Extensions'} = 'permessage-deflate' if $compression eq 'deflate';

my $ua = Mojo::UserAgent->new(max_redirects => 0);
$ua->ca($certificate) if $certificate;

sub done {
    print encode_json($_[0]), "\n";
    Mojo::IOLoop->stop;
}

$ua->websocket($url => \%headers => sub {
    my ($agent, $tx) = @_;
    return done({status => 0 + ($tx->res->code // 0)}) unless $tx->is_websocket;
    $tx->max_websocket_size(1 << 24);
    $tx->on(finish => sub {
        my (undef, $code) = @_;
        done({got => \@got, code => $code,
              extensions => $tx->res->headers->sec_websocket_extensions // ''});
    });
    $tx->on(text => sub { push @got, ['text', encode_base64($_[1], '')]; finish($tx) });
    $tx->on(binary => sub { push @got, ['binary', encode_base64($_[1], '')]; finish($tx) });
    for my $message (@$messages) {
        my $data = decode_base64($message->[1]);
        if ($message->[0] eq 'text') {
            utf8::decode($data);
            $tx->send({text => Mojo::Util::encode('UTF-8', $data)});
        }
        else {
            $tx->send({binary => $data});
        }
    }
});

sub finish {
    my $tx = shift;
    # Not within the event: Mojo ends the connection then before the close frame has gone out.
    Mojo::IOLoop->next_tick(sub { $tx->finish(4000, 'done') }) if @got == @$messages;
}

Mojo::IOLoop->start;
