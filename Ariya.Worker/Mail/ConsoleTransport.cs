namespace Ariya.Worker.Mail;

/// <summary>
/// Development without SMTP settings: whole mails on standard output. Not through the logger, which keeps no links; this
/// is the one place where a link is printed.
/// </summary>
internal sealed class ConsoleTransport(TextWriter output) : IMailTransport
{
    private static readonly DeliveryReport s_printed = new(DeliveryOutcome.Accepted, SmtpStage.AfterDot, "printed", TimeSpan.Zero);

    public Task<DeliveryReport> OpenAsync(CancellationToken cancellationToken) => Task.FromResult(s_printed);

    public async Task<DeliveryReport> SendAsync(OutgoingMail mail, CancellationToken cancellationToken)
    {
        await output.WriteLineAsync($"--- mail to {mail.To}: {mail.Subject}{Environment.NewLine}{mail.Text}{Environment.NewLine}---".AsMemory(), cancellationToken);
        return s_printed;
    }

    public Task CloseAsync() => Task.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
