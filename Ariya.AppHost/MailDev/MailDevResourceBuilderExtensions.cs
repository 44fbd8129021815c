namespace Aspire.Hosting;

public static class MailDevResourceBuilderExtensions
{
    /// <summary>Adds MailDev. A port that is left out is picked when the application starts.</summary>
    public static IResourceBuilder<MailDevResource> AddMailDev(
        this IDistributedApplicationBuilder builder, string name, int? httpPort = null, int? smtpPort = null)
    {
        return builder.AddResource(new MailDevResource(name))
            .WithImage("maildev/maildev")
            .WithImageRegistry("docker.io")
            // 3.x wants Node 22 and moves the health path and the mail API.
            .WithImageTag("2.2.1")
            .WithHttpEndpoint(targetPort: 1080, port: httpPort, name: MailDevResource.HttpEndpointName)
            .WithEndpoint(targetPort: 1025, port: smtpPort, name: MailDevResource.SmtpEndpointName)
            .WithHttpHealthCheck("/healthz", endpointName: MailDevResource.HttpEndpointName)
            .ExcludeFromManifest();
    }
}
