namespace Aspire.Hosting.ApplicationModel;

/// <summary>MailDev, the mail catcher of development: accepts every message over SMTP and shows it on a page and an API.</summary>
public sealed class MailDevResource(string name) : ContainerResource(name), IResourceWithConnectionString
{
    internal const string SmtpEndpointName = "smtp";
    internal const string HttpEndpointName = "http";

    private EndpointReference? _smtpEndpoint;

    public EndpointReference SmtpEndpoint => _smtpEndpoint ??= new EndpointReference(this, SmtpEndpointName);

    /// <summary><c>smtp://host:port</c></summary>
    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"smtp://{SmtpEndpoint.Property(EndpointProperty.HostAndPort)}");
}
