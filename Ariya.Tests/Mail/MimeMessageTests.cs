using System.Text;
using System.Text.RegularExpressions;
using Ariya.Worker.Mail;
using Ariya.Worker.Mail.Smtp;

namespace Ariya.Tests.Mail;

public sealed class MimeMessageTests
{
    private const string Link = "https://accounts.example.com/verify-email?token=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE";
    private static readonly DateTimeOffset s_now = new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);

    private static readonly SmtpSettings s_settings =
        new("relay.example.com", 587, SmtpSecurity.StartTls, null, null, "no-reply@example.com", "Ariya Accounts");

    [Fact]
    [Trait("Promise", "P50")]
    public void TheHeadersAreThereOnceAndBothPartsCarryTheLink()
    {
        var id = Guid.CreateVersion7();
        var mail = Written(Mail() with { MailId = id });

        Assert.Equal("Wed, 04 Mar 2026 05:06:07 +0000", mail.Header("Date"));
        Assert.Equal("Ariya Accounts <no-reply@example.com>", mail.Header("From"));
        Assert.Equal("Grace Hopper <grace@example.com>", mail.Header("To"));
        Assert.Equal($"<{id:N}@example.com>", mail.MessageId);
        Assert.Equal("Confirm your e-mail address", mail.Header("Subject"));
        Assert.Equal("auto-generated", mail.Header("Auto-Submitted"));
        Assert.Equal("1.0", mail.Header("MIME-Version"));
        Assert.StartsWith("multipart/alternative;", mail.Header("Content-Type"), StringComparison.Ordinal);
        Assert.Equal(8, mail.Headers.Count);
        Assert.Equal(Link, mail.Link);
        Assert.Contains($"href=\"{Link}\"", mail.Html, StringComparison.Ordinal);
    }

    [Theory]
    [Trait("Promise", "P49")]
    [InlineData("Confirmez votre adresse électronique, s’il vous plaît")]
    [InlineData("確認してください。このメールアドレスはあなたのものですか。確認してください。このメールアドレスはあなたのものですか。")]
    [InlineData("👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦")]
    [InlineData("=?utf-8?B?R3JhY2U=?=")]
    [InlineData("\"quoted\" <b>x</b> & (comment); \\ @ :")]
    [InlineData("Welcome, Grace. It is done: all of it")]
    public void SubjectsAndNamesComeBackAsTheyWere(string words)
    {
        var mail = Written(Mail() with { Subject = words, ToName = words });

        Assert.Equal(words, mail.Subject);
        Assert.Equal($"{words} <grace@example.com>", ReceivedMail.Decode(mail.Header("To")));
        Assert.All(mail.Raw, letter => Assert.True(char.IsAscii(letter)));
    }

    [Fact]
    public void ACommaPutsANameInQuotesAndASubjectNot()
    {
        var mail = Written(Mail() with { Subject = "Welcome, Grace.", ToName = "Hopper, Grace M." });
        Assert.Equal("Welcome, Grace.", mail.Header("Subject"));
        Assert.Equal("\"Hopper, Grace M.\" <grace@example.com>", mail.Header("To"));
    }

    [Theory]
    [Trait("Promise", "P49")]
    [InlineData("\r\nBcc: everybody@example.com")]
    [InlineData("\nBcc: everybody@example.com")]
    [InlineData("\rBcc: everybody@example.com")]
    [InlineData("x\r\n\r\n<h1>another body</h1>")]
    [InlineData("x\r\n.\r\nMAIL FROM:<a@example.com>")]
    [InlineData("\u2028Bcc: everybody@example.com")]
    public void NothingInAValueStartsAHeaderOrABody(string poison)
    {
        var mail = Written(Mail() with { Subject = $"Hello{poison}", ToName = $"Grace{poison}" });

        Assert.Equal(8, mail.Headers.Count);
        Assert.DoesNotContain(mail.Headers, header => header.Name == "Bcc");
        Assert.Equal($"Hello{poison}", mail.Subject);
        Assert.Equal(Mail().Text, mail.Text);
    }

    [Theory]
    [InlineData("grace@example.com\r\nBcc: everybody@example.com")]
    [InlineData("grace@example.com> SIZE=1\r\nRCPT TO:<everybody@example.com")]
    [InlineData("grace hopper@example.com")]
    [InlineData("no at sign")]
    [InlineData("@example.com")]
    [InlineData("grace@exa\0mple.com")]
    [InlineData("grace@-.example.com")]
    [InlineData("grace@")]
    public void AnAddressThatIsNoneIsNotWritten(string address) =>
        Assert.Throws<FormatException>(() => MimeMessage.Write(Mail() with { To = address }, s_settings, s_now));

    [Fact]
    [Trait("Promise", "P50")]
    public void NoLinePassesSeventyEightOctetsHoweverLongTheNames()
    {
        var name = string.Concat(Enumerable.Repeat("Ὀδυσσεύς Λαερτιάδης ", 12));
        var mail = Written(Mail() with
        {
            Subject = name,
            ToName = name,
            Text = string.Concat(Enumerable.Repeat($"{name}{Link}\n", 5)),
            Html = string.Concat(Enumerable.Repeat($"<p>{name}<a href=\"{Link}\">{Link}</a></p>", 5)),
        });

        Assert.All(mail.Raw.Split("\r\n"), line => Assert.InRange(Encoding.UTF8.GetByteCount(line), 0, 78));
        Assert.DoesNotMatch("(?<!\r)\n|\r(?!\n)", mail.Raw);
        // RFC 2047 section 2: a line with encoded words has at most 76 characters, a word at most 75.
        var encoded = mail.Raw.Split("\r\n").Where(line => line.Contains("=?", StringComparison.Ordinal));
        Assert.All(encoded, line => Assert.InRange(line.Length, 1, 76));
        Assert.All(Regex.Matches(mail.Raw, @"=\?[^ ]+\?="), word => Assert.InRange(word.Length, 1, 75));
        Assert.Equal(name, mail.Subject);
    }

    [Fact]
    [Trait("Promise", "P50")]
    public void TheLongestAddressStaysBelowWhatRelaysTake()
    {
        var address = $"{new string('a', 64)}@{string.Join('.', Enumerable.Repeat(new string('b', 60), 3))}.ex";
        Assert.All(Written(Mail() with { To = address }).Raw.Split("\r\n"), line => Assert.InRange(line.Length, 0, 998));
    }

    [Theory]
    [InlineData("a line\n.\n..\n.a dot in front\nthe end.")]
    [InlineData("trailing space \ntrailing tab\t\n = equals =3D \n\n\ntwo empty lines above")]
    [InlineData("Grüße aus Zürich, 日本, Ελλάδα and a 👩‍👩‍👧‍👦 family; nothing else to say, only that this line is long enough to be broken")]
    [InlineData("\u200e\u202eright to left\u0007 and a bell")]
    public void TheTextComesBackAsItWas(string text)
    {
        var mail = Written(Mail() with { Text = text, Html = $"<pre>{text}</pre>" });
        Assert.Equal(text, mail.Text);
        Assert.Equal($"<pre>{text}</pre>", mail.Html);
    }

    [Fact]
    public void ADomainOutsideAsciiIsWrittenInPunycode() =>
        Assert.Equal("Grace Hopper <grace@xn--bcher-kva.example>", Written(Mail() with { To = "grace@bücher.example" }).Header("To"));

    private static OutgoingMail Mail() => new(Guid.CreateVersion7(), "grace@example.com", "Grace Hopper", "Confirm your e-mail address",
        $"<p>Press <a href=\"{Link}\">here</a>.</p>", $"Open this link:\n\n{Link}\n\nThat is all.");

    private static ReceivedMail Written(OutgoingMail mail) => ReceivedMail.Parse(MimeMessage.Write(mail, s_settings, s_now));
}
